-- Both names are compared byte by byte, as SQLite does: a search by prefix is a range of the unique index.
create table users (
    id                uuid   not null primary key,
    email             text   not null,
    email_canonical   text   collate "C" not null unique,
    email_verified_at bigint,
    username          text   collate "C" unique,
    display_name      text,
    locale            text,
    status            text   not null check (status in ('active', 'disabled')),
    profile           jsonb  not null,
    app_data          jsonb  not null,
    version           bigint not null,
    created_at        bigint not null,
    updated_at        bigint not null
);
create index users_created on users (created_at, id);
create index users_disabled on users (created_at, id) where status = 'disabled';
