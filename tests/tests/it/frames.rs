//! Breaches of RFC 6455: each is answered with the Close frame that names it.

use fanline_tests::{Frame, Hub, Token};

#[tokio::test]
async fn a_breach_of_the_protocol_closes_with_1002() {
    let oversized_control = "x".repeat(126);
    expect(
        1002,
        [
            ("unmasked", vec![ping().unmasked()]),
            ("reserved bit 1", vec![ping().reserved(0x40)]),
            ("reserved bit 2", vec![ping().reserved(0x20)]),
            ("reserved bit 3", vec![ping().reserved(0x10)]),
            ("reserved opcode 3", vec![Frame::new(0x3, "x")]),
            ("reserved control opcode 11", vec![Frame::new(0xb, "x")]),
            ("continuation of nothing", vec![Frame::continuation("x")]),
            (
                "a new message inside a fragmented one",
                vec![Frame::text("{").unfinished(), Frame::text("}")],
            ),
            ("fragmented control frame", vec![Frame::ping("x").unfinished()]),
            ("oversized control frame", vec![Frame::ping(oversized_control)]),
            ("close payload of one byte", vec![Frame::close([0x03])]),
            ("close code below 1000", vec![Frame::close(999_u16.to_be_bytes())]),
            ("close code that is never sent", vec![Frame::close(1005_u16.to_be_bytes())]),
            ("close code that is not assigned", vec![Frame::close(1016_u16.to_be_bytes())]),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_binary_message_closes_with_1003() {
    expect(
        1003,
        [
            ("whole", vec![Frame::binary(r#"{"op":"ping","id":1}"#)]),
            ("in fragments", vec![Frame::binary("{").unfinished(), Frame::continuation("}")]),
        ],
    )
    .await;
}

#[tokio::test]
async fn invalid_utf_8_closes_with_1007() {
    expect(
        1007,
        [
            ("stray byte", vec![Frame::text([b'"', 0xff, b'"'])]),
            ("overlong form", vec![Frame::text([0xc0, 0xaf])]),
            ("surrogate", vec![Frame::text([0xed, 0xa0, 0x80])]),
            ("cut off", vec![Frame::text([0xe2, 0x82])]),
            (
                "in the second fragment",
                vec![Frame::text("ab").unfinished(), Frame::continuation([0xff])],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_message_in_fragments_with_a_ping_between_is_whole() {
    let hub = Hub::start().await;
    let mut room = hub.raw_room(&token()).await;
    let euro = "€".as_bytes();
    room.send_frames([
        Frame::text([br#"{"op":"ping","id":""#.as_slice(), &euro[..1]].concat()).unfinished(),
        Frame::ping("between"),
        Frame::continuation([&euro[1..], br#""}"#.as_slice()].concat()),
    ])
    .await;
    assert_eq!(room.pong().await, b"between");
    let answer = room.text().await;
    assert!(answer.contains("pong") && answer.contains('€'), "{answer}");
}

#[tokio::test]
async fn others_do_not_notice() {
    let hub = Hub::start().await;
    let mut bystander = hub.room(&token()).await;
    bystander.join("chat:lobby").await;
    let mut rude = hub.raw_room(&token()).await;
    rude.send_frames([ping().reserved(0x40)]).await;
    assert_eq!(rude.close_code().await, 1002);
    bystander.publish("chat:lobby", "calm".into()).await;
    assert_eq!(bystander.event().await["data"], "calm");
}

/// Each list of frames, sent on a connection of its own, is answered with a Close of this code and the end.
async fn expect<const N: usize>(code: u16, breaches: [(&str, Vec<Frame>); N]) {
    let hub = Hub::start().await;
    for (breach, frames) in breaches {
        let mut room = hub.raw_room(&token()).await;
        room.send_frames(frames).await;
        let (texts, answered) = room.rest().await;
        assert_eq!(answered, Some(code), "{breach}: {texts:?}");
    }
}

fn ping() -> Frame {
    Frame::text(r#"{"op":"ping","id":1}"#)
}

fn token() -> Token {
    Token::user("ada").everything_in(&["chat:*"])
}
