use proptest::prelude::*;

use super::*;

fn params(query: &str) -> Params {
    Params::parse(query).unwrap()
}

fn with_body(query: &str, body: &str) -> Result<Params, MalformedParams> {
    let mut params = params(query);
    params.merge_body(body.as_bytes())?;
    Ok(params)
}

fn texts<'a>(objects: &'a [Params], member: &str) -> Vec<Option<&'a str>> {
    objects.iter().map(|object| object.text(member)).collect()
}

#[test]
fn a_query_is_read_as_forms_are() {
    let params = params("a=1+2%203&b=%E9%95%9C&c&=x&d=1&d=2");
    let pairs: Vec<_> = params.iter().collect();
    assert_eq!(pairs, [("", "x"), ("a", "1 2 3"), ("b", "镜"), ("c", ""), ("d", "2")]);
}

#[test]
fn the_body_wins_over_the_query() {
    let params = with_body("a=1&b=2", "b=3&c=4").unwrap();
    assert_eq!(params.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "3"), ("c", "4")]);
}

#[test]
fn an_empty_value_is_absent_but_still_there_to_be_signed() {
    let params = params("a=&Tag.1.Key=&List.1=&List.2=x&Disk.Size=");
    assert_eq!((params.text("a"), params.integer("a"), params.boolean("a")), (None, Ok(None), Ok(None)));
    assert_eq!(params.list("List"), ["x"]);
    assert_eq!(params.objects("Tag"), Ok(vec![]));
    assert_eq!(params.structure("Disk"), Ok(None));
    assert_eq!(params.iter().count(), 5);
}

#[test]
fn numbers_and_booleans() {
    let params = params("n=-12&big=99999999999999999999&word=ten&yes=True&no=FALSE&maybe=1");
    assert_eq!(params.integer("n"), Ok(Some(-12)));
    assert_eq!(params.integer("none"), Ok(None));
    assert_eq!(params.integer("big"), Err(InvalidParameter::new("big")));
    assert_eq!(params.integer("word"), Err(InvalidParameter::new("word")));
    assert_eq!((params.boolean("yes"), params.boolean("no")), (Ok(Some(true)), Ok(Some(false))));
    assert_eq!(params.boolean("maybe"), Err(InvalidParameter::new("maybe")));
}

#[test]
fn a_list_is_ordered_by_number_and_may_have_gaps() {
    let params = params("Id.10=c&Id.2=b&Id.1=a&Id.x=no&Id.1.Key=no&Id=no&Ids.1=no&Id.%2B3=no");
    assert_eq!(params.list("Id"), ["a", "b", "c"]);
    assert_eq!(params.list("I"), Vec::<&str>::new());
}

#[test]
fn lists_in_one_text() {
    let params = params("c=a,+b,,c&j=[\"a\",2,true,\"\",null]&one=a&f.1=x&f.2=y&bad=[1&deep=[{\"a\":1}]");
    assert_eq!(params.comma_list("c"), ["a", "b", "c"]);
    assert_eq!(params.comma_list("f"), ["x", "y"]);
    assert_eq!(params.comma_list("none"), Vec::<&str>::new());
    assert_eq!(params.json_list("j").unwrap(), ["a", "2", "true"]);
    assert_eq!(params.json_list("one").unwrap(), ["a"]);
    assert_eq!(params.json_list("f").unwrap(), ["x", "y"]);
    assert_eq!(params.json_list("none").unwrap(), Vec::<String>::new());
    for bad in ["bad", "deep"] {
        assert_eq!(params.json_list(bad), Err(InvalidParameter::new(bad)));
    }
}

#[test]
fn a_long_json_list_keeps_its_order() {
    let items: Vec<String> = (0..25).map(|n| format!("\"i{n}\"")).collect();
    let params: Params = [("a".to_owned(), format!("[{}]", items.join(",")))].into_iter().collect();
    let expected: Vec<String> = (0..25).map(|n| format!("i{n}")).collect();
    assert_eq!(params.json_list("a").unwrap(), expected);
}

#[test]
fn a_structure_is_the_same_in_every_spelling() {
    for query in [
        "Disk={\"Size\":20,\"Kind\":\"ssd\"}",
        "Disk={ \"Size\" : \"20\", \"Kind\" : \"ssd\", \"Key\": \"\", \"Other\": null }",
        "Disk.Size=20&Disk.Kind=ssd&Disk.Key=",
        "Disk={\"Size\":1,\"Kind\":\"ssd\"}&Disk.Size=20",
    ] {
        let disk = params(query).structure("Disk").unwrap().unwrap();
        assert_eq!(disk.integer("Size"), Ok(Some(20)), "{query}");
        assert_eq!((disk.text("Kind"), disk.text("Key")), (Some("ssd"), None), "{query}");
    }
    for bad in ["Disk=20", "Disk=[1]", "Disk={", "Disk={}x"] {
        assert_eq!(params(bad).structure("Disk"), Err(InvalidParameter::new("Disk")), "{bad}");
    }
    assert_eq!(params("Disk={}&Disks.Size=1").structure("Disk"), Ok(None));
}

#[test]
fn objects_are_the_same_in_every_spelling() {
    for query in [
        "Disk=[{\"Size\":20},{\"Size\":\"40\",\"Key\":\"\"}]",
        "Disk=[{\"Size\":20},{},null,{\"Size\":40}]",
        "Disk.1.Size=20&Disk.10.Size=40&Disk.2.Size=&Disk.x.Size=7",
    ] {
        let disks = params(query).objects("Disk").unwrap();
        assert_eq!(texts(&disks, "Size"), [Some("20"), Some("40")], "{query}");
    }
    let single = params("Disk={\"Size\":20}").objects("Disk").unwrap();
    assert_eq!(texts(&single, "Size"), [Some("20")]);
    for bad in ["Disk=20", "Disk=[20]", "Disk=[", "Disk.1=20"] {
        assert_eq!(params(bad).objects("Disk"), Err(InvalidParameter::new("Disk")), "{bad}");
    }
}

#[test]
fn what_is_nested_deeper_is_read_with_the_same_getters() {
    for query in ["A=[{\"B\":{\"C\":[1,2]},\"T\":[{\"K\":\"v\"}]}]", "A.1.B.C.1=1&A.1.B.C.2=2&A.1.T.1.K=v"] {
        let objects = params(query).objects("A").unwrap();
        let inner = objects[0].structure("B").unwrap().unwrap();
        assert_eq!(inner.list("C"), ["1", "2"], "{query}");
        assert_eq!(texts(&objects[0].objects("T").unwrap(), "K"), [Some("v")], "{query}");
    }
}

#[test]
fn a_json_body_is_flattened() {
    let body =
        " {\"Name\":\"镜\",\"N\":2.0,\"Ids\":[\"a\",\"b\"],\"Disk\":{\"Size\":20},\"No\":null,\"Y\":true}";
    let params = with_body("Name=query&Q=1", body).unwrap();
    let pairs: Vec<_> = params.iter().collect();
    let expected = [
        ("Disk.Size", "20"),
        ("Ids.1", "a"),
        ("Ids.2", "b"),
        ("N", "2"),
        ("Name", "镜"),
        ("Q", "1"),
        ("Y", "true"),
    ];
    assert_eq!(pairs, expected);
    for bad in ["{", "{\"a\":1} x", "{\"a\":1}{}", "{a=1}"] {
        assert_eq!(with_body("", bad), Err(MalformedParams), "{bad}");
    }
}

#[test]
fn every_limit_holds_for_query_form_and_json_together() {
    let many = |count: usize| (0..count).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join("&");
    assert!(Params::parse(&many(PARAMETERS_MAX)).is_ok());
    assert!(Params::parse(&many(PARAMETERS_MAX + 1)).is_err());
    assert_eq!(with_body(&many(PARAMETERS_MAX), "b=1"), Err(MalformedParams));
    assert_eq!(with_body(&many(PARAMETERS_MAX), "{\"b\":1}"), Err(MalformedParams));

    let (name, value) = ("n".repeat(NAME_BYTES_MAX), "v".repeat(VALUE_BYTES_MAX));
    assert!(Params::parse(&format!("{name}={value}")).is_ok());
    assert!(Params::parse(&format!("{name}n=")).is_err());
    assert!(Params::parse(&format!("n={value}v")).is_err());

    let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(with_body("", &nested(NESTING_MAX)).is_ok());
    assert_eq!(with_body("", &nested(NESTING_MAX + 1)), Err(MalformedParams));
    assert_eq!(with_body("", &nested(100_000)), Err(MalformedParams));
}

#[test]
fn debug_shows_no_value_that_lets_somebody_in() {
    let shown = format!("{:?}", params("ImageId=m-1&SecurityToken=T0&Signature=S0&UserPassword=P0"));
    assert!(shown.contains("m-1"));
    assert!(!["T0", "S0", "P0"].iter().any(|value| shown.contains(value)), "{shown}");
}

proptest! {
    #[test]
    fn any_text_and_any_bytes_are_read_or_refused(
        query: String,
        body: Vec<u8>,
        json in "[\\[\\]{}\",:0-9a. ]{0,60}",
        name: String,
    ) {
        for body in [body, json.clone().into_bytes()] {
            let Ok(mut params) = Params::parse(&query) else { continue };
            if params.merge_body(&body).is_ok() {
                prop_assert!(params.iter().map(|(name, _)| name).is_sorted());
                prop_assert!(params.iter().count() <= PARAMETERS_MAX);
            }
        }
        let params: Params = [(name.clone(), json)].into_iter().collect();
        let _ = (params.structure(&name), params.objects(&name), params.json_list(&name));
        let _ = (params.list(&name), params.comma_list(&name), params.integer(&name));
    }

    #[test]
    fn the_last_of_equal_names_counts(
        pairs in prop::collection::vec(("[a-c]{1,2}", "[a-z0-9]{1,3}"), 0..20),
    ) {
        let params: Params = pairs.iter().cloned().collect();
        for (name, _) in &pairs {
            let last = pairs.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
            prop_assert_eq!(params.text(name), last);
        }
    }
}
