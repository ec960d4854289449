-- Times are microseconds since the epoch. No foreign key leaves this feature.
create table auth_subjects (
    id    blob not null primary key,
    kind  text not null check (kind in ('user', 'service')),
    epoch integer not null
) strict;

create table auth_passwords (
    user_id     blob not null primary key,
    hash        text not null,
    imported    integer not null,
    must_change integer not null,
    changed_at  integer not null
) strict;

create table auth_sessions (
    id              blob not null primary key,
    user_id         blob not null,
    gen             integer not null,
    salt            blob not null,
    rotated_at      integer not null,
    created_at      integer not null,
    last_seen_at    integer not null,
    idle_expires_at integer not null,
    expires_at      integer not null,
    revoked_at      integer,
    revoke_reason   text,
    logged_in_at    integer not null,
    methods         text not null,
    factors         integer not null,
    scope_limit     text,
    ip              text,
    user_agent      text,
    label           text,
    actor_id        blob
) strict;
create index auth_sessions_live on auth_sessions (user_id, id) where revoked_at is null;
create index auth_sessions_end on auth_sessions (expires_at);

create table auth_one_time (
    id         blob not null primary key,
    purpose    text not null,
    user_id    blob,
    salt       blob not null,
    target     text,
    created_at integer not null,
    expires_at integer not null,
    used_at    integer
) strict;
create unique index auth_one_time_open on auth_one_time (user_id, purpose) where used_at is null;

create table auth_roles (
    id      blob not null primary key,
    name    text not null unique,
    about   text not null,
    builtin integer not null,
    version integer not null
) strict;

create table auth_role_scopes (
    role_id blob not null,
    scope   text not null,
    primary key (role_id, scope)
) strict;

create table auth_grants (
    subject_id blob not null,
    role_id    blob not null,
    granted_by blob,
    granted_at integer not null,
    primary key (subject_id, role_id)
) strict;
create index auth_grants_role on auth_grants (role_id);

create table auth_signing_keys (
    kid            text not null primary key,
    alg            text not null,
    public_jwk     text not null,
    private_sealed blob not null,
    state          text not null check (state in ('next', 'active', 'retired')),
    created_at     integer not null,
    activate_at    integer,
    retire_at      integer,
    delete_at      integer
) strict;
create unique index auth_signing_keys_active on auth_signing_keys (state) where state = 'active';
