-- Times are microseconds since the epoch. Owners and subjects are users or service accounts: both are `auth_subjects`.
create table auth_service_accounts (
    id          uuid not null primary key,
    name        text not null unique,
    about       text not null,
    disabled_at bigint,
    created_by  uuid,
    created_at  bigint not null,
    version     bigint not null
);

create table auth_api_keys (
    id           uuid not null primary key,
    owner_id     uuid not null,
    name         text not null,
    hint         text not null,
    secret_hash  bytea not null unique,
    scopes       jsonb not null,
    created_by   uuid,
    created_at   bigint not null,
    expires_at   bigint,
    last_used_at bigint,
    revoked_at   bigint
);
create index auth_api_keys_owner on auth_api_keys (owner_id, id);

-- Counters of failures and of mails. A key is a MAC: no name and no address stands here.
create table auth_throttle (
    key           bytea not null primary key,
    kind          text not null check (kind in ('account', 'known', 'mail')),
    owner         uuid,
    failures      bigint not null,
    last_at       bigint not null,
    blocked_until bigint not null
);
create index auth_throttle_last on auth_throttle (last_at);
create index auth_throttle_owner on auth_throttle (owner) where owner is not null;

create table auth_outbox (
    id          uuid not null primary key,
    template    text not null,
    address     text not null,
    one_time_id uuid,
    data        jsonb not null,
    attempts    bigint not null,
    next_try_at bigint not null,
    created_at  bigint not null
);
create index auth_outbox_due on auth_outbox (next_try_at);

create table auth_audit (
    id         uuid not null primary key,
    at         bigint not null,
    action     text not null,
    outcome    text not null,
    actor_id   uuid,
    subject_id uuid,
    session_id uuid,
    ip         text,
    user_agent text,
    count      bigint not null,
    request_id text,
    detail     jsonb not null
);
create index auth_audit_subject on auth_audit (subject_id, id);
create index auth_audit_actor on auth_audit (actor_id, id);
create index auth_audit_action on auth_audit (action, id);

-- Answers of registrations that carried an `Idempotency-Key`; the body is kept as a MAC only, and no user means that the
-- answer showed none.
create table auth_idempotency (
    key         bytea not null primary key,
    fingerprint bytea not null,
    user_id     uuid,
    created_at  bigint not null
);
create index auth_idempotency_created on auth_idempotency (created_at);
create index auth_idempotency_user on auth_idempotency (user_id);

-- Elects the node that makes the next signing key, as the index on the active one does.
create unique index auth_signing_keys_next on auth_signing_keys (state) where state = 'next';

-- What a hash costs to check, without its salt: a refused login takes as long as the dearest one. Null is ours of before.
alter table auth_passwords add column cost text;
create index auth_passwords_cost on auth_passwords (cost);
