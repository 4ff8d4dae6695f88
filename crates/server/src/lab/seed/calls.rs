//! What a seed has besides images: made by the operations themselves.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Uri};
use serde_json::{Map, Value, json};

use super::{Planting, Thing};
use crate::app::App;
use crate::lab::holds::Hold;
use crate::lab::routes::{Outcome, Problem};
use crate::operations::{Incoming, OPERATIONS, dispatch};
use crate::products::{Kind, Operation};
use crate::wire::encode;
use crate::wire::sign::{Key, sign_v1};
use crate::wire::signature::Secret;

/// How things of a kind are made.
pub(super) struct Maker {
    operation: &'static str,
    version: &'static str,
    image: &'static str,
    name: &'static str,
    /// Parameters that are given if nothing is said.
    params: Value,
    /// Where the answer has the id.
    id: &'static str,
}

impl Planting<'_> {
    /// Makes one thing by its operation, as the account itself.
    pub(super) async fn thing(&mut self, maker: &Maker, thing: &Thing) -> Result<(), Problem> {
        let mut params = maker.params.as_object().cloned().unwrap_or_default();
        params.insert(maker.image.to_owned(), self.id(&thing.image).into());
        params.insert(maker.name.to_owned(), thing.name.clone().into());
        params.extend(thing.params.clone());
        let operation = OPERATIONS
            .iter()
            .find(|operation| operation.api.version == maker.version && operation.name == maker.operation)
            .ok_or_else(|| Problem::none("operation"))?;
        let answer = self.call(operation, &params).await?;
        let told = |why: &Value| Problem::bad(format!("{} of {}: {why}", operation.name, thing.name));
        let id = answer
            .pointer(maker.id)
            .and_then(Value::as_str)
            .ok_or_else(|| told(&json!({ "Code": answer["Code"], "Message": answer["Message"] })))?;
        self.named(&thing.name, id.to_owned())?;
        if let Some(state) = &thing.state {
            self.lab.holds.hold(self.app, Hold::of_instance(id, state)).await?;
        }
        Ok(())
    }

    async fn call(&self, operation: &'static Operation, params: &Map<String, Value>) -> Outcome {
        let mut all: Vec<(String, String)> =
            [("Action", operation.name), ("Version", operation.api.version), ("Format", "JSON")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        for (name, value) in params {
            let kind = operation.parameters.iter().find(|parameter| parameter.name == name);
            flatten(name, value, kind.is_some_and(|kind| kind.kind == Kind::FlatList), &mut all);
        }
        let app = self.app;
        let secret = Secret::new(&*self.key.secret);
        let key = Key { access_key_id: &self.key.id, secret: &secret, security_token: None };
        let stamp = app.clock.now().plus_millis(-app.clock.clients_behind_ms());
        let signed = sign_v1(key, "POST", &all, stamp, &encode::hex(&app.chance.bytes::<16>()));
        let body = encode::query(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let (method, uri, mut headers) = (Method::POST, Uri::from_static("/"), HeaderMap::new());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let incoming = Incoming {
            method: &method,
            uri: &uri,
            headers: &headers,
            body: body.as_bytes(),
            peer: Some(std::net::Ipv4Addr::LOCALHOST.into()),
            secure: true,
        };
        let reply = dispatch(app, &incoming).await;
        Ok(serde_json::from_slice(&reply.body).unwrap_or_default())
    }
}

/// Writes a parameter as it travels.
fn flatten(name: &str, value: &Value, is_list: bool, all: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) if is_list => {
            for (number, item) in (1..).zip(items) {
                flatten(&format!("{name}.{number}"), item, true, all);
            }
        }
        Value::Object(members) if is_list => {
            for (member, value) in members {
                flatten(&format!("{name}.{member}"), value, true, all);
            }
        }
        Value::String(text) => all.push((name.to_owned(), text.clone())),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            all.push((name.to_owned(), value.to_string()));
        }
    }
}

/// How instances, groups, workstations, templates and bundles are made.
pub(super) fn makers(app: &App) -> [Maker; 5] {
    let node = app.ens_regions.first().map_or("", |node| node.id.as_str());
    let home = app.default_region.as_str();
    let (ens, appstreaming, ecd) = ("2017-11-10", "2021-09-01", "2020-09-30");
    let maker = |operation, version, [image, name, id]: [&'static str; 3], params| Maker {
        operation,
        version,
        image,
        name,
        params,
        id,
    };
    [
        maker(
            "RunInstances",
            ens,
            ["ImageId", "InstanceName", "/InstanceIds/0"],
            json!({
                "InstanceType": "ens.sn1.small", "EnsRegionId": node, "ScheduleAreaLevel": "Region", "Amount": 1,
                "InstanceChargeType": "PostPaid", "PasswordInherit": true,
            }),
        ),
        maker(
            "CreateAppInstanceGroup",
            appstreaming,
            ["AppCenterImageId", "AppInstanceGroupName", "/AppInstanceGroupModel/AppInstanceGroupId"],
            json!({
                "ProductType": "CloudApp", "BizRegionId": home, "ChargeResourceMode": "Node",
                "ChargeType": "PostPaid", "Period": 1, "PeriodUnit": "Month", "SessionTimeout": 15,
            }),
        ),
        maker(
            "CreateWuyingServer",
            appstreaming,
            ["ImageId", "WuyingServerName", "/Data/WuyingServerIdList/0"],
            json!({ "BizRegionId": home }),
        ),
        maker(
            "CreateTemplate",
            ecd,
            ["ImageId", "TemplateName", "/Data"],
            json!({ "ProductType": "CloudDesktop" }),
        ),
        maker(
            "CreateBundle",
            ecd,
            ["ImageId", "BundleName", "/BundleId"],
            json!({
                "RegionId": home, "DesktopType": "ecd.basic.small", "RootDiskSizeGib": 80, "UserDiskSizeGib": [100],
            }),
        ),
    ]
}
