use std::sync::{Arc, Mutex};

use cgcg_core::{BoxFuture, Conn, Db, NewMessage, Publisher, SeamError};
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Bed, LEASE, new, seconds};
use crate::service::tend::rescue::Guard;
use crate::store::lease::Next;
use crate::{Announce, Service, Settings, TaskCreate, TaskState};

/// Keeps what it was told, or answers as it is told to.
#[derive(Default)]
struct Board {
    told: Mutex<Vec<NewMessage>>,
    fails: Mutex<Option<fn() -> SeamError>>,
}

impl Publisher for Board {
    fn publish_message<'a>(&'a self, _: &'a str, _: Value) -> BoxFuture<'a, Result<(), SeamError>> {
        unreachable!("only in a transaction")
    }

    fn publish_in<'a>(
        &'a self,
        _: &'a mut Conn,
        messages: Vec<NewMessage>,
    ) -> BoxFuture<'a, Result<(), SeamError>> {
        let fails = *self.fails.lock().unwrap();
        if fails.is_none() {
            self.told.lock().unwrap().extend(messages);
        }
        Box::pin(async move { fails.map_or(Ok(()), |failure| Err(failure())) })
    }
}

impl Board {
    /// Topic and name of each message.
    fn told(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let line = |told: &NewMessage| (told.topic.to_string(), text(&told.payload["name"]));
        self.told.lock().unwrap().iter().map(line).collect()
    }
}

async fn bed(db: Db, announce: Announce) -> (Bed, Arc<Board>) {
    let mut bed = Bed::new(db).await;
    let (clock, board) = (Arc::new(bed.clock.clone()), Arc::new(Board::default()));
    let settings = Settings {
        announce,
        ..Settings::default()
    };
    bed.tasks = Service::with_publisher(bed.db.clone(), clock, settings, board.clone());
    (bed, board)
}

/// One each that succeeds, fails, is given back and cancelled, is cancelled, loses its worker.
async fn every_end(bed: &Bed) {
    let mut guard = Guard::default();
    bed.tasks.rescue(&mut guard).await.unwrap();
    for how in ["done", "fails", "waits", "runs", "dies"] {
        let task = TaskCreate {
            owner: "ada".to_owned(),
            max_attempts: Some(1),
            unique_key: Some(how.to_owned()),
            ..new("n", &json!({}))
        };
        let id = bed.tasks.create(task).await.unwrap().id;
        if how == "waits" {
            bed.tasks.cancel(id).await.unwrap();
            continue;
        }
        let task = bed.claim_one("w").await;
        match how {
            "done" => assert!(bed.complete("w", &task).await),
            "fails" => drop(bed.settle("w", &task, Next::Fail).await.unwrap()),
            "runs" => {
                bed.tasks.cancel(id).await.unwrap();
                bed.settle("w", &task, Next::Release).await.unwrap();
            }
            _ => {
                bed.clock.advance(LEASE + seconds(1));
                bed.tasks.rescue(&mut guard).await.unwrap();
            }
        }
    }
}

both! {
    async fn what_fails_for_good_is_told_and_nothing_else(db: Db) {
        let (bed, board) = bed(db, Announce::Failed).await;
        every_end(&bed).await;
        let told = board.told.lock().unwrap();
        let codes: Vec<_> = told.iter().map(|told| (&*told.topic, told.payload["code"].clone())).collect();
        assert_eq!(codes, [("tasks.failed", json!("error")), ("tasks.failed", json!("lease_expired"))]);
        assert_eq!(told[0].subject.as_deref(), Some("ada"));
        assert_eq!((&told[0].payload["state"], &told[0].payload["attempt"]), (&json!("failed"), &json!(1)));
        assert_eq!(told[0].key.as_deref(), told[0].payload["task_id"].as_str());
    }

    async fn every_end_is_told_where_all_are_wanted_and_none_where_none_are(db: Db) {
        let (bed, board) = bed(db, Announce::All).await;
        every_end(&bed).await;
        let topics: Vec<_> = board.told().into_iter().map(|(topic, _)| topic).collect();
        let (failed, finished) = ("tasks.failed", "tasks.finished");
        assert_eq!(topics, [finished, failed, finished, finished, finished, failed, finished]);
        let states: Vec<_> = board.told.lock().unwrap().iter()
            .filter(|told| told.topic == finished).map(|told| told.payload["state"].clone()).collect();
        assert_eq!(states, ["succeeded", "failed", "cancelled", "cancelled", "failed"]);
        let settings = Settings { announce: Announce::None, ..Settings::default() };
        let (clock, silent) = (Arc::new(bed.clock.clone()), Arc::new(Board::default()));
        let tasks = Service::with_publisher(bed.db.clone(), clock, settings, silent.clone());
        every_end(&Bed { tasks, ..bed }).await;
        assert!(silent.told().is_empty());
    }

    async fn what_cannot_be_told_does_not_end_but_what_is_refused_does(db: Db) {
        let (bed, board) = bed(db, Announce::Failed).await;
        let id = bed.create("n").await;
        let task = bed.claim_one("w").await;
        let settled = crate::store::lease::Settled {
            fence: task.fence(), worker: "w".to_owned(), next: Next::Fail, error: None };
        *board.fails.lock().unwrap() = Some(|| SeamError::Unavailable("no room".to_owned()));
        assert!(bed.tasks.settle(settled.clone()).await.is_err());
        assert_eq!(bed.state(id).await, TaskState::Running, "both or neither");
        *board.fails.lock().unwrap() =
            Some(|| SeamError::Refused { code: "topic_unknown", detail: String::new() });
        assert!(bed.tasks.settle(settled).await.unwrap().is_some());
        assert_eq!(bed.state(id).await, TaskState::Failed);
    }
}
