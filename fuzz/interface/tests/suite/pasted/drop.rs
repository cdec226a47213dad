{
let mut test = make_test(101);
let _ = Bag::put(&mut test, 12);
let _ = Bag::put(&mut test, 101);
drop(test); // panics
}
