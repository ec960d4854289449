-- Times are microseconds since the epoch. Owners and subjects are users or service accounts: both are `auth_subjects`.
create table auth_service_accounts (
    id          blob not null primary key,
    name        text not null unique,
    about       text not null,
    disabled_at integer,
    created_by  blob,
    created_at  integer not null,
    version     integer not null
) strict;

create table auth_api_keys (
    id           blob not null primary key,
    owner_id     blob not null,
    name         text not null,
    hint         text not null,
    secret_hash  blob not null unique,
    scopes       text not null,
    created_by   blob,
    created_at   integer not null,
    expires_at   integer,
    last_used_at integer,
    revoked_at   integer
) strict;
create index auth_api_keys_owner on auth_api_keys (owner_id, id);

-- Counters of failures and of mails. A key is a MAC: no name and no address stands here.
create table auth_throttle (
    key           blob not null primary key,
    kind          text not null check (kind in ('account', 'known', 'mail')),
    owner         blob,
    failures      integer not null,
    last_at       integer not null,
    blocked_until integer not null
) strict;
create index auth_throttle_last on auth_throttle (last_at);
create index auth_throttle_owner on auth_throttle (owner) where owner is not null;

create table auth_outbox (
    id          blob not null primary key,
    template    text not null,
    address     text not null,
    one_time_id blob,
    data        text not null,
    attempts    integer not null,
    next_try_at integer not null,
    created_at  integer not null
) strict;
create index auth_outbox_due on auth_outbox (next_try_at);

create table auth_audit (
    id         blob not null primary key,
    at         integer not null,
    action     text not null,
    outcome    text not null,
    actor_id   blob,
    subject_id blob,
    session_id blob,
    ip         text,
    user_agent text,
    count      integer not null,
    request_id text,
    detail     text not null
) strict;
create index auth_audit_subject on auth_audit (subject_id, id);
create index auth_audit_actor on auth_audit (actor_id, id);
create index auth_audit_action on auth_audit (action, id);

-- Answers of registrations that carried an `Idempotency-Key`; the body is kept as a MAC only, and no user means that the
-- answer showed none.
create table auth_idempotency (
    key         blob not null primary key,
    fingerprint blob not null,
    user_id     blob,
    created_at  integer not null
) strict;
create index auth_idempotency_created on auth_idempotency (created_at);
create index auth_idempotency_user on auth_idempotency (user_id);

-- Elects the node that makes the next signing key, as the index on the active one does.
create unique index auth_signing_keys_next on auth_signing_keys (state) where state = 'next';

-- What a hash costs to check, without its salt: a refused login takes as long as the dearest one. Null is ours of before.
alter table auth_passwords add column cost text;
create index auth_passwords_cost on auth_passwords (cost);
