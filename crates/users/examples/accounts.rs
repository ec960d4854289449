//! A host program without HTTP: accounts in an SQLite file. `cargo run -p cgcg-users --example accounts`

use std::error::Error;
use std::sync::Arc;

use cgcg_core::{Db, NoPublisher, PageRequest, Principal, SystemClock};
use cgcg_users::{Directory, MIGRATIONS, Service, Settings, UserCreate, UserFilter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let db = Db::connect(&format!("sqlite:{}/accounts.db", folder.path().display())).await?;
    MIGRATIONS.run(&db).await?;
    println!("opened {}", folder.path().join("accounts.db").display());

    let (clock, publisher) = (Arc::new(SystemClock::default()), Arc::new(NoPublisher));
    let directory = Directory::new(clock.clone(), publisher.clone());
    let users = Service::new(
        db.clone(),
        clock,
        Settings::default(),
        directory,
        Vec::new(),
        publisher,
    );
    let by = Principal::operator();

    for (email, name) in [("ada@example.org", "Ada"), ("grace@example.org", "Grace")] {
        let new = UserCreate {
            email: email.parse()?,
            username: None,
            display_name: Some(name.parse()?),
            locale: None,
        };
        println!("created {}", users.create(&by, new).await?.id);
    }
    let page = users
        .list(UserFilter::default(), PageRequest::default())
        .await?;
    for user in &page.items {
        println!(
            "{} <{}>",
            user.base.display_name.as_deref().unwrap_or("-"),
            user.base.email
        );
    }
    if let Some(first) = page.items.first() {
        let stopped = users.disable(&by, first.id).await?;
        println!(
            "disabled {}: version {}",
            stopped.base.email, stopped.version
        );
        users.remove(&by, first.id).await?;
        println!("deleted {}", stopped.base.email);
    }
    db.close().await;
    Ok(())
}
