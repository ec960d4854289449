use cgcg_core::{Db, DbSettings, MIGRATIONS, OpenError, Span};

async fn refusal(url: &str) -> OpenError {
    let settings = DbSettings {
        url: url.to_owned().into(),
        wait: Span::millis(200),
        ..DbSettings::default()
    };
    Db::open(&settings).await.expect_err(url)
}

#[test]
fn an_address_that_is_no_database_of_ours_is_answered_by_the_two_that_are() {
    cgcg_testkit::run(async {
        for url in [
            "",
            "mysql://localhost/x",
            "data/cgcg.db",
            "SQLITE:x.db",
            "/var/lib/cgcg.db",
        ] {
            let refused = refusal(url).await;
            assert!(matches!(refused, OpenError::Scheme), "{url}: {refused}");
            assert!(
                refused.to_string().contains("sqlite:")
                    && refused.to_string().contains("postgres:")
            );
        }
    });
}

#[test]
fn a_database_in_memory_is_refused_because_readers_would_not_see_what_is_written() {
    cgcg_testkit::run(async {
        for url in [
            "sqlite:",
            "sqlite://",
            "sqlite:?mode=rwc",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:x.db?mode=memory",
            "sqlite://x.db?mode=memory",
        ] {
            let refused = refusal(url).await;
            assert!(matches!(refused, OpenError::InMemory), "{url}: {refused}");
            assert!(refused.to_string().contains("sqlite:data/cgcg.db"));
        }
    });
}

#[test]
fn a_server_that_does_not_answer_is_told_from_one_that_is_busy() {
    cgcg_testkit::run(async {
        // Nothing listens on the port of tcpmux.
        let refused = refusal("postgres://cgcg:pass-phrase@127.0.0.1:1/cgcg").await;
        assert!(matches!(refused, OpenError::Database(_)), "{refused}");
        assert!(refused.to_string().contains("refused"), "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("pass-phrase"));
    });
}

#[test]
fn a_database_that_the_server_does_not_have_is_named() {
    cgcg_testkit::run(async {
        let Some(fresh) = cgcg_testkit::postgres().await else {
            return cgcg_testkit::skip("no PostgreSQL");
        };
        let refused = refusal(&format!("{}_absent", fresh.url)).await;
        assert!(refused.to_string().contains("_absent"), "{refused}");
    });
}

#[test]
fn a_file_in_a_folder_that_is_not_there_is_named() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let refused = refusal(&format!(
            "sqlite:{}/absent/cgcg.db",
            folder.path().display()
        ))
        .await;
        assert!(matches!(refused, OpenError::File(_)), "{refused}");
        assert!(refused.to_string().contains("/absent/cgcg.db"), "{refused}");
    });
}

#[test]
fn eight_programs_that_open_one_new_file_at_once_all_start() {
    cgcg_testkit::run(async {
        for round in 0..5 {
            let folder = cgcg_testkit::folder();
            let url = format!("sqlite:{}/cgcg.db", folder.path().display());
            let programs: Vec<_> = (0..8)
                .map(|_| {
                    let url = url.clone();
                    tokio::spawn(async move {
                        let db = Db::connect(&url)
                            .await
                            .map_err(|error| format!("open: {error}"))?;
                        MIGRATIONS
                            .run(&db)
                            .await
                            .map_err(|error| format!("migrate: {error}"))
                    })
                })
                .collect();
            for program in programs {
                assert_eq!(program.await.unwrap(), Ok(()), "round {round}");
            }
        }
    });
}
