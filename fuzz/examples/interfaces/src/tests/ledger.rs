{
    let mut test = open(1);
    let _ = Ledger::transfer(&mut test, 0, 2, 1);
    fn holds(it: &mut impl Ledger) -> bool {
        it.balance(0) + it.balance(1) == it.balance(-1)
    }
    assert!(holds(&mut test));
}
