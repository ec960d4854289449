create table users (
    id                blob    not null primary key,
    email             text    not null,
    email_canonical   text    not null unique,
    email_verified_at integer,
    username          text    unique,
    display_name      text,
    locale            text,
    status            text    not null check (status in ('active', 'disabled')),
    profile           text    not null,
    app_data          text    not null,
    version           integer not null,
    created_at        integer not null,
    updated_at        integer not null
) strict;
create index users_created on users (created_at, id);
create index users_disabled on users (created_at, id) where status = 'disabled';
