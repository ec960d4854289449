use cgcg_core::{Clock, Db, Engine, Migrations, SchemaState, Step, SystemClock, Trouble};
use cgcg_testkit::both;
use sqlx::migrate::MigrateError;

use crate::support::{commit, count, execute};

const fn step(version: i64, sql: &'static str) -> Step {
    Step {
        version,
        name: "test",
        sqlite: sql,
        postgres: sql,
    }
}

const NOTES: Step = step(
    1,
    "create table notes (body text not null); insert into notes (body) values ('first')",
);
const MORE_NOTES: Step = step(2, "insert into notes (body) values ('second')");

static NEW: Migrations = Migrations {
    ledger: "_migrations_notes",
    steps: &[NOTES, MORE_NOTES],
};
static OLD: Migrations = Migrations {
    ledger: "_migrations_notes",
    steps: &[NOTES],
};
static EDITED: Migrations = Migrations {
    ledger: "_migrations_notes",
    steps: &[step(1, "create table notes (body text)"), MORE_NOTES],
};
static BROKEN: Migrations = Migrations {
    ledger: "_migrations_notes",
    steps: &[
        NOTES,
        step(
            2,
            "insert into notes (body) values ('second'); insert into absent values (1)",
        ),
    ],
};
static OTHER: Migrations = Migrations {
    ledger: "_migrations_other",
    steps: &[step(1, "create table other (body text not null)")],
};

const COUNT: &str = "select count(*) from notes";

both! {
    async fn four_nodes_that_migrate_at_once_apply_each_step_once(db: Db) {
        let nodes: Vec<_> = (0..4)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { NEW.run(&db).await })
            })
            .collect();
        for node in nodes {
            node.await.unwrap().unwrap();
        }
        assert_eq!(count(&db, COUNT).await, 2);
        assert_eq!(count(&db, "select count(*) from _migrations_notes").await, 2);
    }

    async fn a_newer_build_applies_only_what_is_missing(db: Db) {
        OLD.run(&db).await.unwrap();
        assert_eq!(count(&db, COUNT).await, 1);
        NEW.run(&db).await.unwrap();
        NEW.run(&db).await.unwrap();
        assert_eq!(count(&db, COUNT).await, 2);
    }

    async fn a_build_older_than_its_ledger_refuses_to_start(db: Db) {
        NEW.run(&db).await.unwrap();
        let refused = OLD.run(&db).await.unwrap_err();
        assert!(matches!(refused, MigrateError::VersionMissing(2)), "{refused}");
        assert_eq!(count(&db, COUNT).await, 2);
    }

    async fn a_step_that_was_edited_after_it_was_applied_is_refused(db: Db) {
        OLD.run(&db).await.unwrap();
        let refused = EDITED.run(&db).await.unwrap_err();
        assert!(matches!(refused, MigrateError::VersionMismatch(1)), "{refused}");
        assert_eq!(count(&db, COUNT).await, 1);
    }

    async fn a_step_that_fails_leaves_nothing_of_itself(db: Db) {
        OLD.run(&db).await.unwrap();
        BROKEN.run(&db).await.unwrap_err();
        assert_eq!(count(&db, COUNT).await, 1);
        assert_eq!(count(&db, "select count(*) from _migrations_notes").await, 1);
    }

    async fn a_step_that_failed_can_be_mended_while_the_program_runs(db: Db) {
        for _ in 0..3 {
            // Held, so that the next run has another connection.
            let _held = db.read().await.unwrap();
            BROKEN.run(&db).await.unwrap_err();
        }
        NEW.run(&db).await.unwrap();
        assert_eq!(count(&db, COUNT).await, 2);
    }

    async fn two_features_do_not_see_each_others_ledger(db: Db) {
        NEW.run(&db).await.unwrap();
        OTHER.run(&db).await.unwrap();
        NEW.run(&db).await.unwrap();
        assert_eq!(count(&db, "select count(*) from other").await, 0);
        assert_eq!(count(&db, "select count(*) from _migrations_other").await, 1);
    }

    async fn a_database_with_more_features_than_the_build_is_fine(db: Db) {
        commit(&db, "create table _migrations_unknown (version bigint)").await;
        OTHER.run(&db).await.unwrap();
    }

    async fn all_missing_steps_of_sqlite_are_one_transaction(db: Db) {
        BROKEN.run(&db).await.unwrap_err();
        if db.engine() == Engine::Sqlite {
            assert_eq!(count(&db, "select count(*) from sqlite_schema where name = 'notes'").await, 0);
        }
    }
}

both! {
    async fn a_schema_tells_how_it_goes_with_a_program_and_stays_as_it_is(db: Db) {
        assert_eq!(OLD.state(&db).await.unwrap(), SchemaState::Behind(1));
        assert_eq!(OLD.state(&db).await.unwrap(), SchemaState::Behind(1));
        OLD.run(&db).await.unwrap();
        assert_eq!(OLD.state(&db).await.unwrap(), SchemaState::Current);
        assert_eq!(NEW.state(&db).await.unwrap(), SchemaState::Behind(1));
        NEW.run(&db).await.unwrap();
        assert_eq!(OLD.state(&db).await.unwrap(), SchemaState::Ahead(2));
        assert_eq!(EDITED.state(&db).await.unwrap(), SchemaState::Changed(1));
    }

    async fn a_database_tells_its_release_and_its_time(db: Db) {
        let facts = db.facts().await.unwrap();
        assert!(facts.version.starts_with(|letter: char| letter.is_ascii_digit()), "{facts:?}");
        let apart = facts.now.since(SystemClock::default().now()).max(SystemClock::default().now().since(facts.now));
        assert!(apart.as_secs() < 60, "{facts:?}");
    }
}

static IMPATIENT: Migrations = Migrations {
    ledger: "_migrations_notes",
    steps: &[
        NOTES,
        step(
            2,
            "set local lock_timeout = '10ms'; alter table notes add column more text",
        ),
    ],
};

#[test]
fn a_step_that_others_keep_from_its_table_says_so_and_is_applied_once_they_end() {
    cgcg_testkit::run(async {
        let Some(fresh) = cgcg_testkit::postgres().await else {
            return cgcg_testkit::skip("no PostgreSQL");
        };
        OLD.run(&fresh.db).await.unwrap();
        let mut held = fresh.db.begin().await.unwrap();
        execute(&mut held, COUNT).await.unwrap();
        let refused = IMPATIENT.run(&fresh.db).await.unwrap_err();
        assert_eq!(Trouble::of_migration(&refused), Trouble::Busy, "{refused}");
        drop(held);
        IMPATIENT.run(&fresh.db).await.unwrap();
        assert_eq!(
            IMPATIENT.state(&fresh.db).await.unwrap(),
            SchemaState::Current
        );
    });
}
