-- Here `seq` is the row's own number and costs nothing: nothing to change.
select 1;
