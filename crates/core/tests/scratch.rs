use cgcg_core::{Db, DbSettings, Scratch};

use crate::support::{commit, count};

const TABLE: &str = "create table notes (body text not null)";
const COUNT: &str = "select count(*) from notes";

/// Makes two, as where a kill left the first, and looks into both.
async fn twice(real: &DbSettings) {
    let mut left = Vec::new();
    for _ in 0..2 {
        let scratch = Scratch::make(real, "try").await.unwrap();
        let db = Db::open(scratch.settings()).await.unwrap();
        commit(&db, TABLE).await;
        commit(&db, "insert into notes (body) values ('a')").await;
        assert_eq!(count(&db, COUNT).await, 1);
        db.close().await;
        left.push(scratch);
    }
    for scratch in left {
        scratch.remove().await.unwrap();
    }
}

/// They were named by the number of the process, which comes again: SQLite opened the old file, with its rows.
#[test]
fn what_a_kill_left_is_no_part_of_the_next_one() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let url = format!("sqlite:{}/cgcg.db", folder.path().display()).into();
        twice(&DbSettings {
            url,
            ..DbSettings::default()
        })
        .await;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let Some(fresh) = cgcg_testkit::postgres().await else {
            return cgcg_testkit::skip("no PostgreSQL");
        };
        twice(&DbSettings {
            url: fresh.url.clone().into(),
            ..DbSettings::default()
        })
        .await;
    });
}
