//! How the items of a `Subscribe` stream reach the wire: an event is encoded once per node, whoever follows its channel.

use bytes::{BufMut, Bytes};
use fanline_core::Event;
use fanline_core::event::WireForm;
use fanline_proto::v1::subscribe_response::Item;
use fanline_proto::v1::{SubscribeRequest, SubscribeResponse};
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::{ProstCodec, ProstDecoder};

use crate::convert;

/// A `SubscribeResponse` on its way out.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    /// Encoded already, and shared by all streams that send it.
    Encoded(Bytes),
    /// Meant for this stream alone.
    Own(SubscribeResponse),
}

impl Outgoing {
    /// An event, encoded by the first stream that sends it.
    pub(crate) fn event(event: &Event) -> Self {
        Outgoing::Encoded(event.form(WireForm::Grpc, |event| {
            response(Item::Event(convert::event(event))).encode_to_vec().into()
        }))
    }

    /// Anything else.
    pub(crate) fn own(item: Item) -> Self {
        Outgoing::Own(response(item))
    }

    /// Its size on the wire, in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Outgoing::Encoded(bytes) => bytes.len(),
            Outgoing::Own(response) => response.encoded_len(),
        }
    }
}

fn response(item: Item) -> SubscribeResponse {
    SubscribeResponse { item: Some(item) }
}

/// Reads requests as usual, and writes what may be encoded already.
pub(crate) struct SubscribeCodec;

pub(crate) struct SubscribeEncoder;

impl Codec for SubscribeCodec {
    type Encode = Outgoing;
    type Decode = SubscribeRequest;
    type Encoder = SubscribeEncoder;
    type Decoder = ProstDecoder<SubscribeRequest>;

    fn encoder(&mut self) -> SubscribeEncoder {
        SubscribeEncoder
    }

    fn decoder(&mut self) -> ProstDecoder<SubscribeRequest> {
        ProstCodec::<SubscribeResponse, SubscribeRequest>::raw_decoder(BufferSettings::default())
    }
}

impl Encoder for SubscribeEncoder {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(item.len());
        match item {
            Outgoing::Encoded(bytes) => out.put(bytes),
            Outgoing::Own(response) => {
                response.encode(out).map_err(|error| Status::internal(error.to_string()))?
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanline_core::testing::{epoch, event};
    use fanline_core::{Offset, Position};

    #[test]
    fn an_event_is_encoded_once_for_all_streams() {
        let event = event("a:b", Position::new(epoch("e"), Offset::new(7)));
        let (Outgoing::Encoded(first), Outgoing::Encoded(second)) =
            (Outgoing::event(&event), Outgoing::event(&event))
        else {
            panic!("events are encoded ahead");
        };
        assert_eq!(first.as_ptr(), second.as_ptr());
        let decoded = SubscribeResponse::decode(first).unwrap();
        assert_eq!(decoded, response(Item::Event(convert::event(&event))));
    }
}
