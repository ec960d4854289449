//! What the tests of roles and keys do again and again.

use std::sync::Arc;

use cgcg_core::{Authenticator, Credential, Denied, Id, Principal, User};
use serde_json::json;

use super::Bed;
use crate::{
    ApiKeyCreate, ApiKeyCreated, Device, Error, Role, RoleCreate, RolesUpdate, ServiceAccount,
    SubjectRoles,
};

pub(super) fn new_role(name: &str, scopes: &[&str]) -> RoleCreate {
    serde_json::from_value(json!({ "name": name, "scopes": scopes })).unwrap()
}

pub(super) fn roles(names: &[&str]) -> RolesUpdate {
    serde_json::from_value(json!({ "roles": names })).unwrap()
}

pub(super) fn new_key(scopes: &[&str]) -> ApiKeyCreate {
    serde_json::from_value(json!({ "name": "backup", "scopes": scopes })).unwrap()
}

impl Bed {
    /// A role that the operator makes.
    pub(super) async fn role(&self, name: &str, scopes: &[&str]) -> Role {
        let new = new_role(name, scopes);
        self.auth
            .create_role(&Principal::operator(), new, &Device::default())
            .await
            .unwrap()
    }

    pub(super) async fn try_give(
        &self,
        by: &Principal,
        id: Id<User>,
        names: &[&str],
    ) -> Result<SubjectRoles, Error> {
        self.auth
            .set_user_roles(by, id, &roles(names), &Device::default())
            .await
    }

    /// Roles that the operator gives.
    pub(super) async fn give(&self, id: Id<User>, names: &[&str]) -> SubjectRoles {
        self.try_give(&Principal::operator(), id, names)
            .await
            .unwrap()
    }

    /// Somebody with one more role, which has these scopes and the name of the person.
    pub(super) async fn clerk(&self, name: &str, scopes: &[&str]) -> (Id<User>, Arc<Principal>) {
        let email = format!("{name}@example.org");
        let id = self.register(&email).await.id;
        self.role(name, scopes).await;
        self.give(id, &["user", name]).await;
        let tokens = self.log_in(&email).await;
        (id, self.who(&tokens).await.unwrap())
    }

    pub(super) async fn try_key(
        &self,
        by: &Principal,
        scopes: &[&str],
    ) -> Result<ApiKeyCreated, Error> {
        self.auth
            .create_api_key(by, new_key(scopes), &Device::default())
            .await
    }

    /// An API key of the person's own.
    pub(super) async fn key(&self, by: &Principal, scopes: &[&str]) -> ApiKeyCreated {
        self.try_key(by, scopes).await.unwrap()
    }

    /// A service account that the operator makes.
    pub(super) async fn machine(&self, name: &str, roles: &[&str]) -> ServiceAccount {
        let new = serde_json::from_value(json!({ "name": name, "roles": roles })).unwrap();
        self.auth
            .create_service_account(&Principal::operator(), new, &Device::default())
            .await
            .unwrap()
    }

    pub(super) async fn who_has(&self, key: &ApiKeyCreated) -> Result<Arc<Principal>, Denied> {
        self.who_shows(key.key.expose()).await
    }

    pub(super) async fn who_shows(&self, text: &str) -> Result<Arc<Principal>, Denied> {
        self.auth.authenticate(Credential::Bearer(text)).await
    }
}
