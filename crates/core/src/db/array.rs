use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Encode, Type};

/// One column of a batch, for PostgreSQL's `unnest($1::bigint[], …)`.
///
/// SQLite has no arrays, and binding one there fails. The wrapper only lets a body of [`crate::on!`] be written that
/// binds arrays, in the arm of [`crate::Engine::Postgres`].
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T>(pub Vec<T>);

impl<T> FromIterator<T> for Array<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use sqlx::Postgres;
    use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};

    use super::{Array, BoxDynError, Encode, IsNull, Type};

    impl<T> Type<Postgres> for Array<T>
    where
        Vec<T>: Type<Postgres>,
    {
        fn type_info() -> PgTypeInfo {
            Vec::<T>::type_info()
        }
    }

    impl<'q, T> Encode<'q, Postgres> for Array<T>
    where
        Vec<T>: Encode<'q, Postgres>,
    {
        fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
            self.0.encode_by_ref(buffer)
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use sqlx::Sqlite;
    use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo};

    use super::{Array, BoxDynError, Encode, IsNull, Type};

    impl<T> Type<Sqlite> for Array<T> {
        fn type_info() -> SqliteTypeInfo {
            <str as Type<Sqlite>>::type_info()
        }
    }

    impl<T> Encode<'_, Sqlite> for Array<T> {
        fn encode_by_ref(&self, _: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
            Err("SQLite has no arrays".into())
        }
    }
}
