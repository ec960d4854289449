use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::json;

use super::{Site, of};
use crate::tests::seconds;

both! {
    async fn a_stream_tells_the_state_the_progress_and_the_end(db: Db) {
        let site = Site::new(db).await;
        let path = format!("/tasks/{}/events", site.task().await);
        let lease = site.lease().await;
        // Time passes in steps, and the stream has time to look after each.
        let looks = async || {
            for _ in 0..20 {
                site.bed.clock.advance(std::time::Duration::from_millis(250));
                site.get("root", "/tasks?limit=1").await;
            }
        };
        let (stream, ()) = tokio::join!(site.get("ada", &path), async {
            looks().await;
            let progress = json!({ "progress": { "pct": 50, "msg": "half" } });
            site.end("robot", "heartbeat", of(&lease, progress)).await;
            looks().await;
            site.end("robot", "complete", of(&lease, json!({ "result": 42 }))).await;
        });
        assert_eq!(stream.header("content-type"), "text/event-stream");
        let events: Vec<&str> = stream.text.split_terminator("\n\n").collect();
        let kinds: Vec<_> = events.iter().map(|event| event.lines().next().unwrap()).collect();
        assert_eq!(kinds, ["event: status", "event: progress", "event: end"]);
        assert!(events[1].contains("half"), "{}", events[1]);
        assert!(events[2].contains("\"result\":42"), "{}", events[2]);
    }

    async fn a_stream_of_what_has_ended_ends_at_once(db: Db) {
        let site = Site::new(db).await;
        let id = site.task().await;
        site.post("ada", &format!("/tasks/{id}/cancel"), serde_json::Value::Null).await.is(200);
        let stream = site.get("ada", &format!("/tasks/{id}/events")).await;
        assert!(stream.text.starts_with("event: end\ndata: {"), "{}", stream.text);
    }

    async fn a_long_stream_gives_signs_of_life_and_ends_after_an_hour(db: Db) {
        let site = Site::new(db).await;
        let path = format!("/tasks/{}", site.task().await);
        let events = format!("{path}/events");
        let stream = tokio::select! {
            stream = site.get("ada", &events) => stream,
            () = site.time_passes(seconds(16)) => unreachable!(),
        };
        assert!(stream.text.contains(": keep-alive\n\n"), "{}", stream.text);
        assert!(!stream.text.contains("event: end"));
    }
}
