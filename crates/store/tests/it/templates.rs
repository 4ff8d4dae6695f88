//! Templates: their rows, their listing, and how they go with their image.

use calotype_core::ids::{ImageId, TemplateId};
use calotype_core::template::{Details, Template};
use calotype_store::db::StoreError;
use calotype_store::templates::{self, Filter};

use crate::support::TestDb;
use crate::things::{account, at};

fn id(text: &str) -> TemplateId {
    TemplateId::trusted(text)
}

fn image(text: &str) -> ImageId {
    ImageId::trusted(text)
}

/// Details of every type, with characters that mean something somewhere.
pub fn details() -> Details {
    let text =
        r#"{"SystemDiskSize":80,"Gpu":false,"Disks":[{"Size":1}],"It's \"x\"":"\u4e2d%_\\","None":null}"#;
    serde_json::from_str(text).expect("an object")
}

/// A template of the first account's that references `m-1`.
fn template(text: &str) -> Template {
    Template {
        id: id(text),
        owner: account(1),
        image: Some(image("m-1")),
        name: format!("name of {text}"),
        details: details(),
        created: at(5),
        modified: at(5),
    }
}

async fn stocked(things: &[Template]) -> TestDb {
    let test = TestDb::new().await;
    let mut tx = test.db.begin().await.unwrap();
    for template in things {
        templates::insert(&mut tx, template).await.unwrap();
    }
    tx.commit().await.unwrap();
    test
}

#[tokio::test]
async fn every_field_of_a_template_comes_back_to_its_owner() {
    let bare = Template { image: None, details: Details::new(), modified: at(-1), ..template("b-2") };
    let test = stocked(&[template("b-1"), bare.clone()]).await;
    let mut tx = test.db.begin().await.unwrap();
    for written in [template("b-1"), bare] {
        let (id, owner) = (written.id.clone(), account(1));
        assert_eq!(templates::load(&mut tx, &id, &owner).await.unwrap(), Some(written));
        assert_eq!(templates::load(&mut tx, &id, &account(2)).await.unwrap(), None);
    }
    let again = templates::insert(&mut tx, &Template { owner: account(2), ..template("b-1") }).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "an id is taken once");
    drop(tx);
    let mut tx = test.db.begin().await.unwrap();
    for spoilt in ["[]", "{", "null"] {
        tx.execute_one("UPDATE templates SET details = $1 WHERE id = 'b-1'", &[spoilt.into()]).await.unwrap();
        let answer = templates::load(&mut tx, &id("b-1"), &account(1)).await;
        assert!(matches!(answer, Err(StoreError::Corrupt(_))), "{spoilt}");
    }
}

#[tokio::test]
async fn a_change_is_written_once_and_only_over_what_it_was_made_of() {
    let test = stocked(&[template("b-1"), template("b-2")]).await;
    let before = template("b-1");
    let details = Details::from_iter([("Period".to_owned(), 3.into())]);
    let after = Template { image: None, name: "new".to_owned(), details, modified: at(6), ..before.clone() };
    let mut tx = test.db.begin().await.unwrap();
    templates::update(&mut tx, &before, &after).await.unwrap();
    assert_eq!(templates::load(&mut tx, &before.id, &account(1)).await.unwrap().as_ref(), Some(&after));
    let other = templates::load(&mut tx, &id("b-2"), &account(1)).await.unwrap();
    assert_eq!(other, Some(template("b-2")));

    let late = Template { name: "late".to_owned(), modified: at(7), ..before.clone() };
    let answer = templates::update(&mut tx, &before, &late).await;
    assert!(matches!(answer, Err(StoreError::Conflict)), "it was changed since");
    assert_eq!(templates::load(&mut tx, &before.id, &account(1)).await.unwrap().as_ref(), Some(&after));
    templates::update(&mut tx, &after, &late).await.unwrap();
    templates::delete(&mut tx, &before.id).await.unwrap();
    let answer = templates::update(&mut tx, &late, &after).await;
    assert!(matches!(answer, Err(StoreError::Conflict)), "it is gone");
    let answer = templates::delete(&mut tx, &before.id).await;
    assert!(matches!(answer, Err(StoreError::Conflict)), "it is gone already");
    assert!(templates::load(&mut tx, &id("b-2"), &account(1)).await.unwrap().is_some());
}

/// Two changes of one moment, made of the same template.
#[tokio::test]
async fn a_change_is_not_lost_to_one_of_the_same_moment() {
    let test = stocked(&[template("b-1")]).await;
    let before = template("b-1");
    let mut tx = test.db.begin().await.unwrap();
    let first = Template { name: "first".to_owned(), ..before.clone() };
    templates::update(&mut tx, &before, &first).await.unwrap();
    let second = Template { image: None, ..before.clone() };
    assert!(matches!(templates::update(&mut tx, &before, &second).await, Err(StoreError::Conflict)));
}

/// Whoever they belong to: the image's owner lets them go (D24).
#[tokio::test]
async fn d24_the_templates_of_an_image_go_with_it() {
    let test = stocked(&[
        template("b-3"),
        Template { owner: account(2), ..template("b-1") },
        Template { image: Some(image("m-10")), ..template("b-2") },
        Template { image: None, ..template("b-4") },
    ])
    .await;
    let mut tx = test.db.begin().await.unwrap();
    let ids = |found: Vec<Template>| found.into_iter().map(|template| template.id).collect::<Vec<_>>();
    assert_eq!(ids(tx.ask(templates::of_image(&image("m-1"))).await.unwrap()), ["b-1", "b-3"].map(id));
    assert_eq!(templates::delete_of_image(&mut tx, &image("m-1")).await.unwrap(), 2);
    assert_eq!(templates::delete_of_image(&mut tx, &image("m-1")).await.unwrap(), 0);
    assert_eq!(tx.ask(templates::of_image(&image("m-1"))).await.unwrap(), []);
    assert_eq!(ids(tx.ask(templates::of_image(&image("m-10"))).await.unwrap()), [id("b-2")]);
    assert!(templates::load(&mut tx, &id("b-4"), &account(1)).await.unwrap().is_some());
}

/// The ids on a page without their mark, and the number of all.
async fn page(test: &TestDb, filter: &Filter<'_>, offset: i64, limit: i64) -> (String, i64) {
    let mut tx = test.db.read().await.unwrap();
    let (found, total) = templates::list(&mut tx, &account(1), filter, offset, limit).await.unwrap();
    let ids = found.iter().map(|template| template.id.as_str().trim_start_matches("b-"));
    (ids.collect::<Vec<_>>().join(" "), total)
}

async fn listing() -> TestDb {
    let made = |number: i64| Template { created: at(number), ..template(&format!("b-{number}")) };
    stocked(&[
        made(1),
        Template { image: Some(image("m-2")), ..made(2) },
        Template { image: None, name: "100%_'".to_owned(), ..made(3) },
        Template { owner: account(2), ..made(4) },
        Template { name: "like b-1".to_owned(), ..made(5) },
    ])
    .await
}

#[tokio::test]
async fn each_filter_lets_its_own_through() {
    let test = listing().await;
    let all = Filter::default;
    let table = [
        (all(), "5 3 2 1"),
        (Filter { ids: vec!["b-1", "b-4", "b-3"], ..all() }, "3 1"),
        (Filter { ids: vec!["b-", "1"], ..all() }, ""),
        (Filter { image: Some("m-1"), ..all() }, "5 1"),
        (Filter { image: Some("m-"), ..all() }, ""),
        (Filter { keyword: Some("b-1"), ..all() }, "5 1"),
        (Filter { keyword: Some("%"), ..all() }, "3"),
        (Filter { name_part: Some("b-1"), ..all() }, "5 1"),
        (Filter { name_part: Some("like"), ..all() }, "5"),
        (Filter { name_part: Some("LIKE"), ..all() }, ""),
        (Filter { name_part: Some("_'"), image: Some("m-1"), ..all() }, ""),
    ];
    for (filter, expected) in table {
        let (ids, total) = page(&test, &filter, 0, 100).await;
        assert_eq!(ids, expected, "{filter:?}");
        assert_eq!(i64::try_from(expected.split_whitespace().count()).unwrap(), total, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_know_the_total_even_beyond_the_end() {
    let test = listing().await;
    let all = Filter::default();
    for (offset, expected) in [(0, "5 3 2"), (3, "1"), (4, ""), (i64::MAX, "")] {
        assert_eq!(page(&test, &all, offset, 3).await, (expected.to_owned(), 4), "from {offset}");
    }
    let nothing = Filter { image: Some("m-9"), ..Filter::default() };
    assert_eq!(page(&test, &nothing, 3, 2).await, (String::new(), 0));
}
