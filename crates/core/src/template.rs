//! Cloud-desktop templates and bundles: what names an image without running it. Decides whether a
//! reference may be made.

use serde_json::{Map, Value};

use crate::ids::{AccountId, BundleId, ImageId, TemplateId};
use crate::image::{Image, ImageView, Unusable, usable};
use crate::time::Timestamp;

/// What else an owner says about a template or a bundle: members named and typed as listings show them.
/// They are bounded where they come in; of them, only [`SYSTEM_DISK_GIB`] is read here.
pub type Details = Map<String, Value>;

/// The member of the details that holds the size of the system disk in GiB.
pub const SYSTEM_DISK_GIB: &str = "SystemDiskSize";

/// The longest name of a template, in characters.
pub const NAME_CHARS_MAX: usize = 126;

const GIB: u64 = 1 << 30;

/// A cloud-desktop template. It goes with its image (D24).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// The account it belongs to.
    pub owner: AccountId,
    /// The image it references, if it names one.
    pub image: Option<ImageId>,
    /// Its name.
    pub name: String,
    /// What else the owner said.
    pub details: Details,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub modified: Timestamp,
}

/// A bundle, the older kind of template, bound to one region. It neither goes with its image nor keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its id.
    pub id: BundleId,
    /// The account it belongs to.
    pub owner: AccountId,
    /// The image it references.
    pub image: ImageId,
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// What else the owner said.
    pub details: Details,
    /// When it was made.
    pub created: Timestamp,
}

/// The command: change what is given here, leave the rest as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifyTemplate {
    /// The template.
    pub template: TemplateId,
    /// The image to reference from now on.
    pub image: Option<ImageId>,
    /// Its new name.
    pub name: Option<String>,
    /// The members of the details that change; each replaces the one of its name whole.
    pub details: Details,
}

/// Why a template or a bundle is not made or changed, in the order in which the reasons are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateRefusal {
    /// The account has no such template.
    #[error("no such template")]
    NotFound,
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] Unusable),
    /// The image does not fit on the system disk.
    #[error("the system disk is smaller than the image")]
    SystemDiskTooSmall,
}

/// Decides whether a new template or bundle may reference the image.
///
/// # Errors
/// [`TemplateRefusal`], never [`TemplateRefusal::NotFound`].
pub fn decide_create(details: &Details, image: Option<&ImageView>) -> Result<(), TemplateRefusal> {
    fits(details, usable(image)?)
}

/// Decides how a template changes. `image` is the one that it will reference. An image that it references
/// already need not be usable any more: one whose share was taken back does not keep the owner of the
/// template from changing the rest of it.
///
/// # Errors
/// [`TemplateRefusal`], the first that applies in the order of its variants.
pub fn decide_modify(
    template: Option<&Template>,
    command: &ModifyTemplate,
    image: Option<&ImageView>,
    now: Timestamp,
) -> Result<Template, TemplateRefusal> {
    let mut changed = template.ok_or(TemplateRefusal::NotFound)?.clone();
    changed.details.extend(command.details.clone());
    if let Some(id) = &command.image {
        changed.image = Some(id.clone());
        usable(image)?;
    }
    if let (Some(view), true) = (image, command.image.is_some() || command.sizes_system_disk()) {
        fits(&changed.details, &view.image)?;
    }
    if let Some(name) = &command.name {
        changed.name.clone_from(name);
    }
    changed.modified = now;
    Ok(changed)
}

impl ModifyTemplate {
    fn sizes_system_disk(&self) -> bool {
        self.details.contains_key(SYSTEM_DISK_GIB)
    }
}

fn fits(details: &Details, image: &Image) -> Result<(), TemplateRefusal> {
    let Some(disk_gib) = details.get(SYSTEM_DISK_GIB).and_then(Value::as_u64) else { return Ok(()) };
    let image_gib = image.virtual_size_bytes.unwrap_or(0).div_ceil(GIB);
    if disk_gib < image_gib { Err(TemplateRefusal::SystemDiskTooSmall) } else { Ok(()) }
}

/// Tells whether `name` can name a template: 2 to [`NAME_CHARS_MAX`] letters (of any script), digits, `:`,
/// `_` and `-`, the first one a letter.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ':' | '_' | '-');
    (2..=NAME_CHARS_MAX).contains(&name.chars().count())
        && name.chars().next().is_some_and(char::is_alphabetic)
        && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RegionId;
    use crate::image::{ImageKind, ImageLabels, ImageState, Product, Stage, Standing};

    const NOW: Timestamp = Timestamp::from_millis(2_000);

    fn view(standing: Standing, gib: u64) -> ImageView {
        let image = Image {
            id: ImageId::trusted("imgc-1"),
            product: Product::AppStreaming,
            owner: AccountId::trusted("1"),
            kind: ImageKind::Custom,
            state: ImageState::Available,
            name: "golden".to_owned(),
            labels: ImageLabels::default(),
            region: RegionId::trusted("cn-hangzhou"),
            virtual_size_bytes: Some(gib * GIB),
            stored_size_bytes: None,
            source_instance: None,
            source_snapshot: None,
            parent: None,
            base: None,
            published: None,
            created: NOW,
            modified: NOW,
        };
        ImageView { image, standing }
    }

    fn disk(gib: u64) -> Details {
        Details::from_iter([(SYSTEM_DISK_GIB.to_owned(), gib.into())])
    }

    fn template(gib: u64) -> Template {
        Template {
            id: TemplateId::trusted("b-1"),
            owner: AccountId::trusted("1"),
            image: Some(ImageId::trusted("imgc-0")),
            name: "old".to_owned(),
            details: disk(gib),
            created: Timestamp::from_millis(1_000),
            modified: Timestamp::from_millis(1_000),
        }
    }

    fn command(image: Option<&str>, details: Details) -> ModifyTemplate {
        let image = image.map(ImageId::trusted);
        ModifyTemplate { template: TemplateId::trusted("b-1"), image, name: None, details }
    }

    #[test]
    fn d24_a_template_references_only_images_that_can_be_used() {
        for standing in [Standing::Own, Standing::SharedIn, Standing::Public, Standing::Community] {
            assert_eq!(decide_create(&Details::new(), Some(&view(standing, 40))), Ok(()));
        }
        let missing = Err(TemplateRefusal::Image(Unusable::NotFound));
        assert_eq!(decide_create(&Details::new(), None), missing);
        assert_eq!(decide_create(&Details::new(), Some(&view(Standing::Hidden, 40))), missing);
        let mut making = view(Standing::Own, 40);
        making.image.state = ImageState::Making(Stage::Creating);
        let refused = Err(TemplateRefusal::Image(Unusable::NotAvailable));
        assert_eq!(decide_create(&Details::new(), Some(&making)), refused);
    }

    #[test]
    fn a_system_disk_holds_its_image() {
        let too_small = Err(TemplateRefusal::SystemDiskTooSmall);
        assert_eq!(decide_create(&disk(40), Some(&view(Standing::Own, 40))), Ok(()));
        assert_eq!(decide_create(&disk(40), Some(&view(Standing::Own, 41))), too_small);
        let large = view(Standing::Own, 60);
        let moved = command(Some("imgc-1"), Details::new());
        let refused = decide_modify(Some(&template(40)), &moved, Some(&large), NOW);
        assert_eq!(refused, Err(TemplateRefusal::SystemDiskTooSmall));
        let shrunk = command(None, disk(50));
        let refused = decide_modify(Some(&template(80)), &shrunk, Some(&large), NOW);
        assert_eq!(refused, Err(TemplateRefusal::SystemDiskTooSmall));
        let both = command(Some("imgc-1"), disk(60));
        assert!(decide_modify(Some(&template(40)), &both, Some(&large), NOW).is_ok());
    }

    #[test]
    fn a_change_leaves_the_rest_as_it_was() {
        let hidden = view(Standing::Hidden, 60);
        let mut command = command(None, Details::from_iter([("Period".to_owned(), 3.into())]));
        command.name = Some("new".to_owned());
        let changed = decide_modify(Some(&template(40)), &command, Some(&hidden), NOW).unwrap();
        let mut expected = Template { name: "new".to_owned(), modified: NOW, ..template(40) };
        expected.details.insert("Period".to_owned(), 3.into());
        assert_eq!(changed, expected);
        assert_eq!(decide_modify(None, &command, None, NOW), Err(TemplateRefusal::NotFound));
        command.image = Some(ImageId::trusted("imgc-1"));
        let refused = decide_modify(Some(&template(40)), &command, Some(&hidden), NOW);
        assert_eq!(refused, Err(TemplateRefusal::Image(Unusable::NotFound)));
    }

    #[test]
    fn names_have_letters_digits_and_three_marks() {
        for good in ["ab", "Team:a_b-1", "\u{6a21}\u{677f}1", &"x".repeat(126)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a", "1ab", "a.b", "a b", "http://x", &"x".repeat(127)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
