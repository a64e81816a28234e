//! What operators see: health and counters.

use crate::harness::{FULL_KEY, Front, in_time, publish_request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test]
async fn health_is_told_to_anybody_until_the_drain() {
    let front = Front::start().await;
    let mut health = HealthClient::new(front.channel());
    let services = ["", "fanline.v1.Publisher", "fanline.v1.Subscriber", "fanline.v1.Channels"];
    let request = |service: &str| HealthCheckRequest { service: service.into() };
    let mut watch = health.watch(request("")).await.unwrap().into_inner();
    let told = in_time(watch.message()).await.unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::Serving);
    for expected in [ServingStatus::Serving, ServingStatus::NotServing] {
        for service in services {
            let status = health.check(request(service)).await.unwrap().into_inner().status();
            assert_eq!(status, expected, "{service}");
        }
        front.stop.cancel();
    }
    let told = in_time(watch.message()).await.unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn each_call_is_counted_once_with_its_status() {
    let front = Front::start().await;
    let mut publisher = front.publisher(FULL_KEY);
    publisher.publish(publish_request("a:b", "1")).await.unwrap();
    publisher.publish(publish_request("a:b", "{")).await.unwrap_err();
    front.publisher("fk_other").publish(publish_request("a:b", "1")).await.unwrap_err();
    let series = |method: &str, code: &str| {
        format!(r#"fanline_grpc_requests_total{{method="{method}",code="{code}"}}"#)
    };
    for code in ["OK", "INVALID_ARGUMENT", "UNAUTHENTICATED"] {
        front.until_metric(&series("Publisher/Publish", code), 1).await;
    }
    let mut given_up = front.subscribe([("a:b", None)]).await;
    assert_eq!(given_up.next().await, "a:b after 1");
    drop(given_up);
    front.until_metric(&series("Subscriber/Subscribe", "CANCELLED"), 1).await;

    let mut ended = front.subscribe([("a:b", None)]).await;
    assert_eq!(ended.next().await, "a:b after 1");
    front.stop.cancel();
    assert_eq!(ended.next().await, "Unavailable");
    front.until_metric(&series("Subscriber/Subscribe", "UNAVAILABLE"), 1).await;
    assert_eq!(front.metric(&series("Subscriber/Subscribe", "CANCELLED")), 1);
}
