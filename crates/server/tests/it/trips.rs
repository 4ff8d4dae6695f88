//! How often an operation goes to PostgreSQL and back: each exchange costs the way there and back, whatever
//! travels in it. `docs/postgresql.md` has these numbers.

use crate::postgres;
use crate::proxy::Proxy;
use crate::support::{OTHER, Setup, World};

/// What most of many calls take: the first ones make their statements known to the connections.
async fn trips(proxy: &Proxy, mut call: impl AsyncFnMut()) -> usize {
    let mut all = Vec::new();
    for _ in 0..CALLS {
        let before = proxy.trips();
        call().await;
        all.push(proxy.trips() - before);
    }
    all.sort_unstable();
    all[CALLS / 2]
}

const CALLS: usize = 40;

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts it"]
async fn an_operation_takes_as_few_exchanges_as_it_can() {
    let url = postgres::schema(&postgres::address()).await;
    let proxy = Proxy::to(&url).await;
    let world = World::open(Setup { metadata: Some(proxy.url(&url)), ..Setup::default() }).await;
    let used = world.import().await;
    let instance = world.owner.launch(&used).await;

    let describe = trips(&proxy, async || {
        world.owner.ok("DescribeSelfImages", &[("ImageId", &used)]).await;
    });
    assert_eq!(describe.await, 1, "describing reads, and the note of its nonce goes along");
    let launch = trips(&proxy, async || {
        world.owner.launch(&used).await;
    });
    assert_eq!(launch.await, 2, "a launch reads, then writes and commits");
    let refused = trips(&proxy, async || {
        let answer = world.owner.try_call("DeleteImage", &[("ImageId", &used)]).await.unwrap();
        assert_eq!(answer.status, 400);
    });
    assert_eq!(refused.await, 2, "a refusal reads that there are uses, then which");
    let missing = trips(&proxy, async || {
        let answer = world.owner.try_call("DeleteImage", &[("ImageId", "m-none")]).await.unwrap();
        assert_eq!(answer.status, 400);
    });
    assert_eq!(missing.await, 1, "nothing is read of what is not there");
    world.owner.ok("ReleasePostPaidInstance", &[("InstanceId", &instance)]).await;

    for (is_shared, expected) in [(false, 2), (true, 3)] {
        let mut images = Vec::new();
        for _ in 0..CALLS {
            let image = world.import().await;
            if is_shared {
                world.owner.share(&image, OTHER).await;
            }
            images.push(image);
        }
        let delete = trips(&proxy, async || {
            world.owner.ok("DeleteImage", &[("ImageId", &images.pop().unwrap())]).await;
        });
        assert_eq!(
            delete.await,
            expected,
            "a delete reads, and its shares if there are any, then writes and commits"
        );
    }
    world.drain().await;
    world.assert_sound().await;
}
