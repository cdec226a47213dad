{
drop(make_test(101)); // panics
}
