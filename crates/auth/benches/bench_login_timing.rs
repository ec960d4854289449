//! Whether the time of a refused login tells what is known of the name: 300 logins of each class, one of each in turn, or
//! as many as an argument says.
//!
//! A line of JSON per class: its median, how far that is from the median of names that nobody has, and Welch's t against
//! them. Alike is |t| < 4.5 and a median within 5 %. `cargo bench -p cgcg-auth --bench bench_login_timing`.

use std::error::Error;
use std::sync::Arc;

use cgcg_auth::{
    AccountCreate, Credentials, Device, EmailVerification, Host, ImportUser, Service, Settings,
    Welcome,
};
use cgcg_core::{
    AccountObserver, Clock, Db, FeatureKeys, MasterKey, NoPublisher, Principal, SystemClock,
};
use serde_json::json;

const ROUNDS: usize = 300;
const PASSWORD: &str = "correct horse battery";
/// passlib's default cost; of nothing that is tried here.
const BCRYPT: &str = "$2b$12$fS.5ftJSQV8Eq.SyIn7R7.M.2OZ6/RaYCf1n9rqFnuNCnR08S.usu";
/// Django 5.2's default cost; of nothing that is tried here.
const PBKDF2: &str =
    "pbkdf2_sha256$1000000$iYaGIkmr9PjAYyuaMxJQe2$xLD5zomQFwxyYlVxZYZrpeyl/MEFcIk+3GwD0WeW5A8=";
const CLASSES: [&str; 6] = [
    "absent",
    "wrong_password",
    "disabled",
    "unverified",
    "imported_bcrypt",
    "imported_pbkdf2",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = cgcg_testkit::folder();
    let db = Db::connect(&format!("sqlite:{}/host.db", folder.path().display())).await?;
    let clock = Arc::new(SystemClock::default());
    // First as after a start, with nothing to go by but the slowest login of late; then with what the hashes take.
    let auth = accounts(db, clock.clone()).await?;
    let rounds = std::env::args().find_map(|argument| argument.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS).max(2);
    measure("untimed", &auth, &clock, rounds).await;
    auth.time_hashes().await?;
    measure("timed", &auth, &clock, rounds).await;
    Ok(())
}

async fn measure(what: &str, auth: &Service, clock: &SystemClock, rounds: usize) {
    let mut times: [Vec<f64>; CLASSES.len()] = Default::default();
    for _ in 0..rounds {
        for (class, times) in CLASSES.iter().zip(&mut times) {
            let credentials = Credentials {
                login: format!("{class}@example.org"),
                password: "wrong horse battery".to_owned().into(),
            };
            let begun = clock.monotonic();
            let outcome = auth.login(&credentials, &Device::default()).await;
            times.push((clock.monotonic() - begun).as_secs_f64() * 1e3);
            assert!(outcome.is_err());
        }
    }
    let absent = Sample::of(&times[0]);
    for (class, times) in CLASSES.iter().zip(&times) {
        let sample = Sample::of(times);
        let figure = json!({
            "bench": "login_timing", "what": what, "class": class, "rounds": rounds,
            "median_ms": sample.median, "median_ratio": sample.median / absent.median, "welch_t": sample.welch_t(&absent),
        });
        println!("{figure}");
    }
}

struct Sample {
    median: f64,
    mean: f64,
    variance: f64,
    size: f64,
}

impl Sample {
    fn of(times: &[f64]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        let size = times.len() as f64;
        let mean = times.iter().sum::<f64>() / size;
        let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
        Self {
            median: sorted[times.len() / 2],
            mean,
            variance: squares / (size - 1.0),
            size,
        }
    }

    fn welch_t(&self, other: &Self) -> f64 {
        let spread = (self.variance / self.size + other.variance / other.size).sqrt();
        if spread == 0.0 {
            return 0.0;
        }
        (self.mean - other.mean) / spread
    }
}

/// One account of each class that has one.
async fn accounts(db: Db, clock: Arc<SystemClock>) -> Result<Service, Box<dyn Error>> {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
        .install_default()
        .ok();
    for tables in [
        &cgcg_core::MIGRATIONS,
        &cgcg_users::MIGRATIONS,
        &cgcg_auth::MIGRATIONS,
    ] {
        tables.run(&db).await?;
    }
    let keys = MasterKey::generate()?;
    let (open, users) = node(&db, &clock, &keys, EmailVerification::Off)?;
    open.open(&[]).await?;
    for class in &CLASSES[1..4] {
        let new = AccountCreate {
            email: format!("{class}@example.org").parse()?,
            password: PASSWORD.to_owned().into(),
            display_name: None,
            username: None,
        };
        let made = open.register(new, &Device::default()).await?;
        if let (Welcome::Made(account), "disabled") = (made, *class) {
            users.disable(&Principal::operator(), account.id).await?;
        }
    }
    for (class, hash) in CLASSES[4..].iter().zip([BCRYPT, PBKDF2]) {
        let imported: ImportUser = serde_json::from_value(json!({
            "email": format!("{class}@example.org"), "password_hash": hash, "email_verified": true,
        }))?;
        open.import(&Principal::operator(), &[imported]).await?;
    }
    let (auth, _) = node(&db, &clock, &keys, EmailVerification::Required)?;
    auth.open(&[]).await?;
    Ok(auth)
}

fn node(
    db: &Db,
    clock: &Arc<SystemClock>,
    key: &MasterKey,
    verification: EmailVerification,
) -> Result<(Service, cgcg_users::Service), Box<dyn Error>> {
    let publisher = Arc::new(NoPublisher);
    let directory = cgcg_users::Directory::new(clock.clone(), publisher.clone());
    let mut settings = Settings::default();
    settings.registration.email_verification = Some(verification);
    // Who tries so often waits for other reasons.
    settings.throttle.accounts = false;
    let auth = Service::new(
        db.clone(),
        clock.clone(),
        settings,
        FeatureKeys {
            current: key.derive("auth")?,
            previous: None,
        },
        Arc::new(directory.clone()),
        publisher.clone(),
        Host::default(),
    )?;
    let observers: Vec<Arc<dyn AccountObserver>> = vec![Arc::new(auth.clone())];
    let users = cgcg_users::Service::new(
        db.clone(),
        clock.clone(),
        cgcg_users::Settings::default(),
        directory,
        observers,
        publisher,
    );
    Ok((auth, users))
}
