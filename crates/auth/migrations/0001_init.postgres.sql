-- Times are microseconds since the epoch. No foreign key leaves this feature.
create table auth_subjects (
    id    uuid not null primary key,
    kind  text not null check (kind in ('user', 'service')),
    epoch bigint not null
);

create table auth_passwords (
    user_id     uuid not null primary key,
    hash        text not null,
    imported    boolean not null,
    must_change boolean not null,
    changed_at  bigint not null
);

create table auth_sessions (
    id              uuid not null primary key,
    user_id         uuid not null,
    gen             bigint not null,
    salt            bytea not null,
    rotated_at      bigint not null,
    created_at      bigint not null,
    last_seen_at    bigint not null,
    idle_expires_at bigint not null,
    expires_at      bigint not null,
    revoked_at      bigint,
    revoke_reason   text,
    logged_in_at    bigint not null,
    methods         text not null,
    factors         bigint not null,
    scope_limit     jsonb,
    ip              text,
    user_agent      text,
    label           text,
    actor_id        uuid
);
create index auth_sessions_live on auth_sessions (user_id, id) where revoked_at is null;
create index auth_sessions_end on auth_sessions (expires_at);

create table auth_one_time (
    id         uuid not null primary key,
    purpose    text not null,
    user_id    uuid,
    salt       bytea not null,
    target     text,
    created_at bigint not null,
    expires_at bigint not null,
    used_at    bigint
);
create unique index auth_one_time_open on auth_one_time (user_id, purpose) where used_at is null;

create table auth_roles (
    id      uuid not null primary key,
    name    text not null unique,
    about   text not null,
    builtin boolean not null,
    version bigint not null
);

create table auth_role_scopes (
    role_id uuid not null,
    scope   text not null,
    primary key (role_id, scope)
);

create table auth_grants (
    subject_id uuid not null,
    role_id    uuid not null,
    granted_by uuid,
    granted_at bigint not null,
    primary key (subject_id, role_id)
);
create index auth_grants_role on auth_grants (role_id);

create table auth_signing_keys (
    kid            text not null primary key,
    alg            text not null,
    public_jwk     jsonb not null,
    private_sealed bytea not null,
    state          text not null check (state in ('next', 'active', 'retired')),
    created_at     bigint not null,
    activate_at    bigint,
    retire_at      bigint,
    delete_at      bigint
);
create unique index auth_signing_keys_active on auth_signing_keys (state) where state = 'active';
