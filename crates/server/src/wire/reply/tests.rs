use proptest::prelude::*;
use quick_xml::events::Event;
use serde_json::json;

use super::*;
use crate::wire::fault::GatewayError;

const ID: &str = "3F2504E0-4F89-41D3-9A0C-0305E82C3301";

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    reply.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}

fn denied() -> Fault {
    Fault::from(GatewayError::NoPermission)
        .with_access_denied(vec![("AuthAction", "ens:DeleteImage".to_owned())])
        .with_extra(vec![("Success", json!(false)), ("Code", json!("not this"))])
}

#[test]
fn a_success_in_json() {
    let reply = Reply::success(Format::Json, "DeleteImage", ID, json!({"Code": 0}));
    assert_eq!(reply.status, 200);
    assert_eq!(text(&reply), format!("{{\"Code\":0,\"RequestId\":\"{ID}\"}}"));
    let expected = [
        ("content-type", "application/json;charset=utf-8"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "*"),
        ("x-acs-request-id", ID),
        ("x-acs-trace-id", "3f2504e04f8941d39a0c0305e82c3301"),
    ];
    let headers: Vec<_> = reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(headers, expected);
}

#[test]
fn a_success_in_xml_repeats_the_name_of_a_list() {
    let images = json!([{"Id": "m-1", "Size": 20}, {"Id": "m-2", "Ok": true}]);
    let body = json!({"Images": {"Image": images}, "None": [], "Null": null});
    let reply = Reply::success(Format::Xml, "DescribeImages", ID, body);
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DescribeImagesResponse><Images><Image><Id>m-1</Id>\
         <Size>20</Size></Image><Image><Id>m-2</Id><Ok>true</Ok></Image></Images><Null></Null>\
         <RequestId>{ID}</RequestId></DescribeImagesResponse>"
    );
    assert_eq!(text(&reply), expected);
    assert_eq!(header(&reply, "content-type"), Some("text/xml;charset=utf-8"));
}

#[test]
fn a_body_that_is_no_object_still_gives_a_reply() {
    for body in [Value::Null, json!([1]), json!("x")] {
        let reply = Reply::success(Format::Json, "A", ID, body);
        assert_eq!(text(&reply), format!("{{\"RequestId\":\"{ID}\"}}"));
    }
}

#[test]
fn an_error_in_json() {
    let reply = Reply::fault(Format::Json, &denied(), ID, "127.0.0.1:8470", "Ens");
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let page = "https://api.aliyun.com/troubleshoot?q=NoPermission&product=Ens&requestId=";
    let expected = json!({
        "RequestId": ID,
        "HostId": "127.0.0.1:8470",
        "Code": "NoPermission",
        "Message": "You are not authorized to do this action.",
        "Recommend": format!("{page}{ID}"),
        "AccessDeniedDetail": {"AuthAction": "ens:DeleteImage"},
        "Success": false,
    });
    assert_eq!((reply.status, body), (403, expected));
    assert_eq!(header(&reply, "x-acs-retry-after"), None);
}

#[test]
fn an_error_in_xml() {
    let fault = Fault::from(GatewayError::Missing { name: "Action" });
    let reply = Reply::fault(Format::Xml, &fault, ID, "h", "Ens");
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><RequestId>{ID}</RequestId><HostId>h</HostId>\
         <Code>MissingAction</Code><Message>Action is mandatory for this action.</Message></Error>"
    );
    assert_eq!(text(&reply), expected);
    let reply = Reply::fault(Format::Xml, &denied(), ID, "h", "Ens");
    let tail = "<AccessDeniedDetail><AuthAction>ens:DeleteImage</AuthAction></AccessDeniedDetail>\
                <Success>false</Success></Error>";
    assert!(text(&reply).ends_with(tail), "{}", text(&reply));
}

#[test]
fn a_throttled_caller_gets_milliseconds() {
    let fault = Fault::from(GatewayError::ThrottlingUser { retry_after_ms: 1_500 });
    let reply = Reply::fault(Format::Json, &fault, ID, "h", "Ens");
    assert_eq!(header(&reply, "x-acs-retry-after"), Some("1500"));
}

#[test]
fn the_help_page_is_a_proper_address() {
    let expected = "https://api.aliyun.com/troubleshoot?q=A%20b%26c&product=Ens&requestId=1";
    assert_eq!(recommend("A b&c", "Ens", "1"), expected);
}

#[test]
fn xml_holds_no_character_it_cannot_and_no_element_it_should_not() {
    let body = json!({"1 <x>": "a\u{0}\u{b}\u{fffe}b\r\n\t<&>\"'"});
    let reply = Reply::success(Format::Xml, "A><B", ID, body);
    let expected = "<A__BResponse><___x_>ab&#13;\n\t&lt;&amp;&gt;&quot;&apos;</___x_>";
    assert!(text(&reply).contains(expected), "{}", text(&reply));
}

/// Reads the text of the element `T` with a parser that is not ours.
fn read_back(document: &str) -> String {
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut inside, mut read) = (false, String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => inside = &*start == "T",
            Event::End(_) => inside = false,
            Event::Text(text) if inside => read.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) if inside => {
                let character = reference.resolve_char_ref().unwrap();
                let named = quick_xml::escape::resolve_predefined_entity(&reference);
                read.push_str(&character.map(String::from).or(named.map(str::to_owned)).unwrap());
            }
            Event::Eof => return read,
            Event::Text(_) | Event::GeneralRef(_) | Event::Decl(_) => {}
            other @ (Event::Empty(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::DocType(_)) => {
                panic!("the writer makes no {other:?}")
            }
        }
    }
}

proptest! {
    #[test]
    fn text_comes_back_from_xml_as_it_went_in(value: String) {
        let reply = Reply::success(Format::Xml, "A", ID, json!({"T": value}));
        let control = |c: &char| *c < ' ' && !['\t', '\n', '\r'].contains(c);
        let allowed = |c: &char| !control(c) && !['\u{fffe}', '\u{ffff}'].contains(c);
        prop_assert_eq!(read_back(text(&reply)), value.chars().filter(allowed).collect::<String>());
    }

    #[test]
    fn json_survives_whatever_a_fault_says(message: String, host: String) {
        let mut fault = Fault::from(GatewayError::InternalError);
        fault.message = message.clone().into();
        let reply = Reply::fault(Format::Json, &fault, ID, &host, "Ens");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        prop_assert_eq!(&body["Message"], &json!(message));
        prop_assert_eq!(&body["HostId"], &json!(host));
    }
}
