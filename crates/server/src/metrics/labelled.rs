//! Metrics of one name whose labels are known from the start.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// One metric for each set of labels, in the order given. Clones share what they count.
#[derive(Debug)]
pub(super) struct Labelled<const N: usize, M>(Arc<Series<N, M>>);

#[derive(Debug)]
struct Series<const N: usize, M> {
    names: [&'static str; N],
    all: Vec<([String; N], M)>,
}

impl<const N: usize, M> Clone for Labelled<N, M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<const N: usize, M: Default> Labelled<N, M> {
    /// Begins to count for each of these values of the labels.
    pub(super) fn new(names: [&'static str; N], values: impl IntoIterator<Item = [String; N]>) -> Self {
        Self::of(names, values.into_iter().map(|values| (values, M::default())))
    }
}

impl<const N: usize, M> Labelled<N, M> {
    /// Takes metrics with the values of their labels.
    pub(super) fn of(names: [&'static str; N], all: impl IntoIterator<Item = ([String; N], M)>) -> Self {
        Self(Arc::new(Series { names, all: all.into_iter().collect() }))
    }

    /// Does something with the metric of these values. Values that nobody foresaw are not counted: a label must
    /// never take what a request brings along.
    pub(super) fn with<T>(&self, values: [&str; N], count: impl FnOnce(&M) -> T) {
        let found = self.0.all.iter().find(|(known, _)| *known == values);
        debug_assert!(found.is_some(), "nobody foresaw {values:?}");
        if let Some((_, metric)) = found {
            count(metric);
        }
    }
}

impl<const N: usize, M: TypedMetric> TypedMetric for Labelled<N, M> {
    const TYPE: MetricType = M::TYPE;
}

impl<const N: usize, M: EncodeMetric + TypedMetric> EncodeMetric for Labelled<N, M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (values, metric) in &self.0.all {
            let labels: [(&str, &str); N] =
                std::array::from_fn(|label| (self.0.names[label], values[label].as_str()));
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}
