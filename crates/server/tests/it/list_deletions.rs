//! ListDeletions: the deletions of an account.

use serde_json::Value;

use crate::support::app_streaming::{self, AS, OWN};
use crate::support::{Setup, World};

/// The images of the deletions that are listed, and the token for more.
async fn list(world: &World, params: &[(&str, &str)]) -> (Vec<String>, String) {
    let body = world.owner.must(OWN, "ListDeletions", params).await;
    let image = |deletion: &Value| deletion["ImageId"].as_str().unwrap().to_owned();
    let images = body["Deletions"].as_array().unwrap().iter().map(image).collect();
    (images, body["NextToken"].as_str().unwrap().to_owned())
}

async fn delete(world: &World, version: &str, image: &str) {
    world.owner.must(version, "DeleteImage", &[("ImageId", image)]).await;
    world.pass(1);
}

#[tokio::test]
async fn the_latest_comes_first_page_by_page() {
    let world = World::new().await;
    let mut images = Vec::new();
    for _ in 0..5 {
        let image = world.import().await;
        delete(&world, crate::support::ENS, &image).await;
        images.insert(0, image);
    }
    assert_eq!(list(&world, &[]).await, (images.clone(), String::new()));
    let (first, token) = list(&world, &[("MaxResults", "2")]).await;
    let (second, token) = list(&world, &[("MaxResults", "2"), ("NextToken", &token)]).await;
    let (third, end) = list(&world, &[("MaxResults", "2"), ("NextToken", &token)]).await;
    assert_eq!([first, second, third].concat(), images);
    assert_eq!(end, "");
    let others = world.other.must(OWN, "ListDeletions", &[]).await;
    assert_eq!(others["Deletions"], serde_json::json!([]));
}

#[tokio::test]
async fn deletions_are_told_apart_by_product_and_state() {
    let world = World::open(Setup::with("deletion = { grace = '1h' }\n")).await;
    let complete = world.import().await;
    delete(&world, crate::support::ENS, &complete).await;
    world.pass(3_600);
    world.drain().await;
    let restored = world.import().await;
    delete(&world, crate::support::ENS, &restored).await;
    world.owner.must(OWN, "RestoreImage", &[("ImageId", &restored)]).await;
    let open = app_streaming::image(&world).await;
    delete(&world, AS, &open).await;
    for (params, expected) in [
        (vec![], vec![&open, &restored, &complete]),
        (vec![("State", "Open")], vec![&open]),
        (vec![("State", "Restored")], vec![&restored]),
        (vec![("State", "Complete")], vec![&complete]),
        (vec![("Api", "ens")], vec![&restored, &complete]),
        (vec![("Api", "appstreaming")], vec![&open]),
        (vec![("Api", "ens"), ("State", "Open")], vec![]),
    ] {
        let (images, _) = list(&world, &params).await;
        assert_eq!(images.iter().collect::<Vec<_>>(), expected, "{params:?}");
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused() {
    let world = World::new().await;
    for (name, value) in [
        ("MaxResults", "0"),
        ("MaxResults", "101"),
        ("MaxResults", "many"),
        ("State", "Gone"),
        ("Api", "ecs"),
    ] {
        let answer = world.owner.call(OWN, "ListDeletions", &[(name, value)]).await;
        let code = format!("InvalidParameter.{name}");
        assert_eq!((answer.status, answer.code()), (400, Some(code.as_str())), "{value}");
    }
}
