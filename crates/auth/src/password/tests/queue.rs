use cgcg_testkit::eventually;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::*;

type Answer = JoinHandle<Result<Verdict, Overloaded>>;

/// Somebody logs in, to an account without password.
fn login(pool: &Pool) -> Answer {
    let pool = pool.clone();
    tokio::spawn(async move { pool.verify(&secret("correct horse battery"), None).await })
}

fn register(pool: &Pool) -> JoinHandle<Result<String, Overloaded>> {
    let pool = pool.clone();
    tokio::spawn(async move {
        pool.hash(
            Lane::Register,
            &Normal::of(&secret("correct horse battery")),
        )
        .await
    })
}

async fn queued(pool: &Pool, count: usize) {
    eventually("all are in the queue", async || pool.load().queued == count).await;
}

#[test]
fn a_full_queue_refuses_at_once() {
    run(async {
        let (pool, _) = pool(1);
        let seat = pool.0.queue.sit();
        let waiting: Vec<Answer> = (0..9).map(|_| login(&pool)).collect();
        queued(&pool, 9).await;
        assert_eq!(pool.verify(&secret("x"), None).await, Err(Overloaded));
        assert_eq!(pool.load().queued, 9);
        // The next password starts a thread again, and that one works off the rest.
        drop(seat);
        waiting[0].abort();
        queued(&pool, 8).await;
        assert_eq!(login(&pool).await.unwrap(), Ok(NO));
        for answer in waiting.into_iter().skip(1) {
            assert_eq!(answer.await.unwrap(), Ok(NO));
        }
    });
}

#[test]
fn who_asks_a_full_pool_again_and_again_is_slowed_down() {
    run(async {
        let (pool, clock) = pool(1);
        let ask = || {
            let pool = pool.clone();
            tokio::spawn(async move { pool.room().await })
        };
        assert_eq!(pool.room().await, Ok(()), "an empty pool answers at once");
        let seat = pool.0.queue.sit();
        let waiting: Vec<Answer> = (0..9).map(|_| login(&pool)).collect();
        queued(&pool, 9).await;
        let asked = ask();
        clock.wait_for_sleepers(10).await;
        assert!(!asked.is_finished());
        clock.advance(Duration::from_millis(750));
        assert_eq!(asked.await.unwrap(), Err(Overloaded));
        // One place is free by the end of the pause.
        let asked = ask();
        clock.wait_for_sleepers(10).await;
        waiting[0].abort();
        queued(&pool, 8).await;
        clock.advance(Duration::from_millis(750));
        assert_eq!(asked.await.unwrap(), Ok(()));
        drop(seat);
    });
}

#[test]
fn b5_two_thousand_logins_on_two_threads_take_the_memory_of_two() {
    run(async {
        let (pool, _) = pool(2);
        let clients: Vec<Answer> = (0..2_000).map(|_| login(&pool)).collect();
        let (mut hashed, mut refused) = (0, 0);
        for (at, client) in clients.into_iter().enumerate() {
            // Every third leaves before its answer.
            if at % 3 == 0 {
                client.abort();
                continue;
            }
            match client.await.unwrap() {
                Ok(verdict) => hashed += usize::from(verdict == NO),
                Err(Overloaded) => refused += 1,
            }
            assert!(pool.load().memory_bytes <= 2 * 64 * 1_024 && pool.load().queued <= 18);
        }
        assert_eq!(hashed + refused, 1_333);
        eventually("nothing is left", async || {
            let load = pool.load();
            load.queued + load.running + load.memory_bytes == 0
        })
        .await;
    });
}

#[test]
fn registration_fills_half_of_the_queue_only() {
    run(async {
        let (pool, _) = pool(1);
        let _seat = pool.0.queue.sit();
        let waiting: Vec<_> = (0..4).map(|_| register(&pool)).collect();
        queued(&pool, 4).await;
        assert_eq!(register(&pool).await.unwrap(), Err(Overloaded));
        let other = login(&pool);
        queued(&pool, 5).await;
        waiting.iter().for_each(JoinHandle::abort);
        other.abort();
        queued(&pool, 0).await;
    });
}

#[test]
fn b5_a_client_that_left_is_skipped() {
    run(async {
        let (pool, _) = pool(1);
        let mut seat = pool.0.queue.sit();
        let first = login(&pool);
        queued(&pool, 1).await;
        let second = register(&pool);
        queued(&pool, 2).await;
        first.abort();
        queued(&pool, 1).await;
        assert_eq!(seat.next().unwrap().lane, Lane::Register);
        second.abort();
    });
}

#[test]
fn b5_a_client_that_leaves_frees_no_memory_in_use() {
    run(async {
        let (pool, _) = pool(1);
        let mut seat = pool.0.queue.sit();
        let client = login(&pool);
        queued(&pool, 1).await;
        let job = seat.next().unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        let load = pool.load();
        assert_eq!((load.running, load.memory_bytes), (1, 64 * 1_024));
        // Its answer finds nobody, and that is all.
        assert!(job.reply.send(Zeroizing::default()).is_err());
        drop(seat);
        assert_eq!((pool.load().running, pool.load().memory_bytes), (0, 0));
    });
}

#[test]
fn who_waits_too_long_is_refused_but_not_half_way() {
    run(async {
        let (pool, clock) = pool(1);
        let mut seat = pool.0.queue.sit();
        let first = register(&pool);
        queued(&pool, 1).await;
        let second = login(&pool);
        queued(&pool, 2).await;
        let job = seat.next().unwrap();
        clock.wait_for_sleepers(2).await;
        clock.advance(Duration::from_secs(2));
        assert_eq!(second.await.unwrap(), Err(Overloaded));
        assert_eq!(pool.load().queued, 0);
        job.reply.send(Zeroizing::new(vec![7; 32])).unwrap();
        assert!(first.await.unwrap().unwrap().ends_with("BwcHBwc"));
    });
}

#[test]
fn a_thread_that_dies_leaves_nothing_behind() {
    run(async {
        let (pool, _) = pool(1);
        let mut seat = pool.0.queue.sit();
        let lost = login(&pool);
        queued(&pool, 1).await;
        let job = seat.next().unwrap();
        std::thread::spawn(move || {
            let _both = (seat, job);
            panic!("as if argon2 had a bug");
        })
        .join()
        .unwrap_err();
        assert_eq!(lost.await.unwrap(), Err(Overloaded));
        assert_eq!((pool.load().threads, pool.load().memory_bytes), (0, 0));
        assert_eq!(pool.verify(&secret("x"), None).await, Ok(NO));
    });
}

#[test]
fn dear_and_cheap_hashes_share_the_memory_and_none_waits_for_ever() {
    run(async {
        let (pool, _) = pool(3);
        // 64 KiB to 1 MiB, which is all there is.
        let stored = |memory_kib: u32| {
            format!(
                "$argon2id$v=19$m={memory_kib},t=1,p=1$c29tZXNhbHQ${}",
                "A".repeat(43)
            )
        };
        for round in 0..12 {
            let answers = (0..24u32).map(|number| {
                let (pool, stored) = (pool.clone(), stored(64 << ((number + round) % 5)));
                tokio::spawn(
                    async move { pool.verify(&secret("x"), Some(Stored::own(&stored))).await },
                )
            });
            for answer in answers.collect::<Vec<_>>() {
                assert_eq!(answer.await.unwrap(), Ok(NO));
                assert!(pool.load().memory_bytes <= 1 << 20);
            }
        }
        assert_eq!(pool.load().queued, 0);
    });
}

#[test]
fn memory_that_idle_threads_keep_is_there_for_a_dear_hash() {
    run(async {
        let settings = PoolSettings {
            memory: Size::mib(1),
            threads: 3,
            wait: Span::seconds(2),
        };
        let pool = Pool::new(CHEAP, settings, Arc::new(TestClock::default()));
        let clients: Vec<Answer> = (0..9).map(|_| login(&pool)).collect();
        for client in clients {
            client.await.unwrap().unwrap();
        }
        assert!(pool.load().memory_bytes > 0);
        let all = format!(
            "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ${}",
            "A".repeat(43)
        );
        assert_eq!(verify(&pool, "x", &all).await, NO);
    });
}

#[test]
fn nothing_starts_before_the_first_password_and_idle_threads_hold_no_memory() {
    run(async {
        let (pool, _) = pool(4);
        assert_eq!((pool.load().threads, pool.load().memory_bytes), (0, 0));
        assert_eq!(pool.verify(&secret("x"), None).await, Ok(NO));
        assert_eq!(pool.load().threads, 1);
        eventually("idle threads give their memory back", async || {
            pool.load().memory_bytes == 0
        })
        .await;
    });
}

#[test]
fn threads_end_with_the_last_clone() {
    run(async {
        let (pool, _) = pool(2);
        let clone = pool.clone();
        assert_eq!(pool.verify(&secret("x"), None).await, Ok(NO));
        let queue = Arc::downgrade(&pool.0.queue);
        drop(pool);
        assert_eq!(clone.verify(&secret("x"), None).await, Ok(NO));
        drop(clone);
        eventually("the threads are gone", async || queue.strong_count() == 0).await;
    });
}

#[test]
fn there_are_no_more_threads_than_memory_for_them() {
    run(async {
        let clock = Arc::new(TestClock::default());
        let settings = PoolSettings {
            memory: Size::kib(128),
            threads: 64,
            wait: Span::seconds(2),
        };
        let pool = Pool::new(CHEAP, settings, clock);
        let clients: Vec<Answer> = (0..18).map(|_| login(&pool)).collect();
        for client in clients {
            assert_eq!(client.await.unwrap(), Ok(NO));
        }
        assert!(pool.load().threads <= 2);
    });
}
