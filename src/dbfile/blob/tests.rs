//! Every parser accepts any bytes.

use super::*;

/// Random bytes, some of them after a valid beginning.
fn bytes(rng: &mut fastrand::Rng) -> Vec<u8> {
    let starts: [&[u8]; 8] = [
        b"",
        b"\0\0\0\0\xff\0\0\x01\x01\x02\x05",
        b"\0\0\0\x12\x040abc\x02\x04\x02",
        b"\0\x01\0\x03",
        b"\0\x03abc\x04\x01\x02\x03\0",
        b"\xcb\x20\x17a",
        b"\x01\0\0\x02",
        b"[{\"a\":[1,",
    ];
    let mut bytes = starts[rng.usize(0..starts.len())].to_vec();
    let small = rng.bool();
    bytes.extend((0..rng.usize(0..80)).map(|_| if small { rng.u8(0..9) } else { rng.u8(..) }));
    bytes
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let mut rng = fastrand::Rng::with_seed(4);
    for _ in 0..10_000 {
        let blob = bytes(&mut rng);
        let mut fields = Vec::new();
        for kind in [
            fts5::Kind::Averages,
            fts5::Kind::Structure,
            fts5::Kind::Leaf,
            fts5::Kind::DoclistIndex,
            fts5::Kind::Tombstones,
        ] {
            fields.extend(fts5::fields(kind, &blob));
        }
        fields.extend(fts3::node_fields(&blob));
        fields.extend(fts3::varints(&blob, 1, blob.len()));
        fields.extend(rtree::fields(&blob, rng.usize(0..9)));
        fields.extend(jsonb::fields(&blob));
        for field in fields {
            let mut copy = blob.clone();
            field.get(&copy);
            field.set(&mut copy, rng.u64(..));
            assert!(copy.len() <= blob.len() + 10);
        }
        fts5::Structure::parse(&blob).map(|structure| structure.emit());
        fts5::Leaf::parse(&blob).map(|leaf| leaf.emit());
        fts5::parse_doclist(&blob).map(|docs| fts5::emit_doclist(&docs));
        fts3::Node::parse(&blob).map(|node| node.emit());
        fts3::parse_doclist(&blob).map(|docs| fts3::emit_doclist(&docs));
        rtree::Node::parse(&blob, rng.usize(0..9)).map(|node| node.emit());
        rtree::Shape::parse(&blob).map(|shape| shape.emit());
        jsonb::looks_like(&blob);
        json::parse(&blob).map(|element| element.emit());
        module(&String::from_utf8_lossy(&blob));
    }
}

#[test]
fn jsonb_keeps_its_form() {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut whole = 0;
    for _ in 0..10_000 {
        let blob = bytes(&mut rng);
        if let Some(element) = jsonb::Element::parse(&blob) {
            whole += 1;
            let again = element.emit();
            assert_eq!(jsonb::Element::parse(&again), Some(element));
        }
    }
    assert!(whole > 20, "{whole}");
}

#[test]
fn modules_are_told_from_their_statements() {
    let (name, arguments) = module("CREATE VIRTUAL TABLE x USING RTree(id, a, b, +c)").unwrap();
    assert_eq!((name.as_str(), arguments.len()), ("rtree", 4));
    assert_eq!(module("CREATE TABLE x(a)"), None);
}
