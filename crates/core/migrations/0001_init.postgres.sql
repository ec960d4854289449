create table _meta (
    key   text not null primary key,
    value text not null
);
