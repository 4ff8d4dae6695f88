//! App Streaming DeleteImage where a part fails: what no call brings about is armed at the seam of the
//! store. What calls do bring about is shown end to end.

use calotype_store::seam::{Effect, Fault};
use serde_json::{Value, json};

use crate::support::World;
use crate::support::app_streaming::{self, AS, OWN};

/// Arms a failure, deletes an image with two templates, and checks that it is refused in these words and
/// that nothing has changed; then that the same call works when the failure is gone.
async fn refused(statement: &'static str, effect: Effect, expected: (u16, &str, &str)) {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let templates =
        [app_streaming::template(&world, &image).await, app_streaming::template(&world, &image).await];
    let before = world.print().await;

    world.faults().arm(Fault { statement, effect });
    let answer = world.owner.call(AS, "DeleteImage", &[("ImageId", &image)]).await;
    world.faults().clear();

    let told = (answer.status, answer.code().unwrap(), answer.body["Message"].as_str().unwrap());
    assert_eq!(told, expected);
    assert_eq!((&answer.body["Success"], &answer.body["Data"]), (&Value::Bool(false), &Value::Bool(false)));
    assert_eq!(world.print().await, before, "a refused delete changes nothing");

    let answer = world.owner.call(AS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for template in &templates {
        let left = world.count("SELECT COUNT(*) FROM templates WHERE id = $1", &[template.into()]).await;
        assert_eq!(left, 0);
    }
    world.drain().await;
    world.assert_erased(&image).await;
    world.assert_sound().await;
}

#[tokio::test]
async fn d32_what_fails_unexpectedly_is_an_internal_error() {
    let row = (400, "InternalError", "Internal error.");
    refused("UPDATE images SET deleted_ms", Effect::Corrupt, row).await;
    refused("FROM usages u WHERE u.image_id", Effect::Corrupt, row).await;
}

#[tokio::test]
async fn d39_templates_that_cannot_be_deleted() {
    let row = (400, "DeleteTemplate.Failed", "Delete template failed.");
    refused("DELETE FROM templates WHERE image_id", Effect::Unavailable, row).await;
    refused("DELETE FROM templates WHERE image_id", Effect::Corrupt, row).await;
}

#[tokio::test]
async fn d40_templates_that_cannot_be_looked_up() {
    let row = (400, "QueryTemplate.Failed", "Query template failed.");
    refused("FROM templates WHERE image_id = $1 ORDER BY", Effect::Unavailable, row).await;
}

#[tokio::test]
async fn d41_a_template_that_vanishes_in_between() {
    let row = (400, "InvalidTemplate.NotFound", "Template not found.");
    refused("DELETE FROM templates WHERE image_id", Effect::Nothing, row).await;
}

#[tokio::test]
async fn d43_a_store_that_is_away() {
    let row = (500, "ServiceUnavailable", "Service unavailable. Please try again later.");
    refused("INSERT INTO nonces", Effect::Unavailable, row).await;
    refused("UPDATE images SET deleted_ms", Effect::Unavailable, row).await;
    refused("INSERT INTO deletions", Effect::Unavailable, row).await;
}

/// In-use comes before anything is done about templates: they are not even looked up.
#[tokio::test]
async fn d37_in_use_before_templates() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    app_streaming::template(&world, &image).await;
    app_streaming::group(&world, &image).await;
    let before = world.print().await;
    world
        .faults()
        .arm(Fault { statement: "FROM templates WHERE image_id = $1 ORDER BY", effect: Effect::Unavailable });
    let answer = world.owner.call(AS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(answer.code(), Some("ImageNotAllowDelete"));
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn d24_d25_the_deletion_says_what_went_with_it() {
    let world = World::new().await;
    let image = app_streaming::image(&world).await;
    let template = app_streaming::template(&world, &image).await;
    let params = [
        ("ImageId", image.as_str()),
        ("DestinationRegionList.1", "cn-beijing"),
        ("DestinationRegionList.2", "cn-shanghai"),
    ];
    world.owner.must(AS, "StartTaskForDistributeImage", &params).await;
    world.drain().await;
    assert_eq!(world.files_of(&image).await.len(), 3, "one copy in each region");
    let body = world.owner.must(AS, "DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(
        body,
        json!({
            "Code": "200", "Data": true, "Message": "successful", "RequestId": body["RequestId"], "Success": true,
        })
    );
    let found = world.owner.must(OWN, "GetDeletion", &[("ImageId", &image)]).await;
    assert_eq!(found["Deletion"]["Templates"], json!([template]));
    world.drain().await;
    world.assert_erased(&image).await;
}
