/// Makes the tests `<name>::sqlite` and `<name>::postgres` of each `async fn <name>(db: Db)`.
///
/// Each gets a fresh, empty database and a runtime of two threads. Without a PostgreSQL the second one is skipped.
#[macro_export]
macro_rules! both {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: $Db:ty) $body:block)+) => {$(
        // Tells clippy what the name of a test's file does not: this is a test.
        #[cfg(test)]
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn body($db: $Db) $body

            #[test]
            fn sqlite() {
                let folder = $crate::folder();
                $crate::run(async { body($crate::sqlite(&folder).await).await });
            }

            #[test]
            fn postgres() {
                $crate::run(async {
                    match $crate::postgres().await {
                        Some(fresh) => body(fresh.db.clone()).await,
                        None => $crate::skip("no PostgreSQL"),
                    }
                });
            }
        }
    )+};
}
