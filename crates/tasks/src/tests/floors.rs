use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Clock, Db, Engine, on};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, LEASE, new, seconds};
use crate::floors::{Floors, Found, Reader};
use crate::store::claim::Request;
use crate::{TaskCreate, TaskId};

const SLOW: Option<Duration> = Some(Duration::from_secs(1));

fn reader() -> Reader {
    ("default".to_owned(), vec!["n".to_owned()])
}

async fn claimed(bed: &Bed, floors: &Floors, limit: i64) -> Found {
    let names = ["n".to_owned()];
    let wanted = Request {
        queue: "default",
        limit,
        ahead: 0,
        lease: LEASE,
        worker: "w",
        names: &names,
    };
    let mut conn = bed.db.begin().await.unwrap();
    let now = crate::store::now(&bed.clock, &conn);
    let found = floors.claim(&mut conn, now, &wanted, false).await.unwrap();
    conn.commit().await.unwrap();
    found
}

/// A task of this priority that could have been taken since so many microseconds.
async fn ready(bed: &Bed, (priority, age): (i16, i64)) -> TaskId {
    let new = TaskCreate {
        priority: Some(priority),
        ..new("n", &json!(1))
    };
    let made = bed.tasks.create(new).await.unwrap();
    let sql = "update task set run_at = run_at - $2 where id = $1";
    let mut conn = bed.db.begin().await.unwrap();
    on!(&mut conn, |c| sqlx::query(sql)
        .bind(made.id)
        .bind(age)
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    conn.commit().await.unwrap();
    made.id
}

both! {
    async fn what_becomes_ready_behind_the_floor_is_found_at_the_next_look_at_all(db: Db) {
        let bed = Bed::new(db).await;
        let floors = Floors::new(Arc::new(bed.clock.clone()));
        bed.clock.advance(seconds(60));
        bed.tasks.create(new("n", &json!(1))).await.unwrap();
        let first = claimed(&bed, &floors, 10).await;
        assert_eq!((first.tasks.len(), first.partly), (1, false));
        // As if that had taken a second.
        floors.note(reader(), bed.clock.monotonic(), SLOW, &first.tasks, false);
        let [behind, within, sooner] = [(100, 5_000_000), (100, 200_000), (1, 5_000_000)];
        let (behind, within) = (ready(&bed, behind).await, ready(&bed, within).await);
        let sooner = ready(&bed, sooner).await;
        let found = claimed(&bed, &floors, 10).await;
        let ids: Vec<_> = found.tasks.iter().map(|task| task.id).collect();
        if bed.db.engine() == Engine::Sqlite {
            assert_eq!(ids, [sooner, behind, within]);
            return;
        }
        assert_eq!((ids, found.partly), (vec![sooner, within], true));
        bed.clock.advance(seconds(10));
        let found = claimed(&bed, &floors, 10).await;
        assert_eq!((found.tasks[0].id, found.partly), (behind, false));
    }
}
