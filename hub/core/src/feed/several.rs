//! Opening several channels at once, from where one text of a client says.

use super::{Opened, open};
use crate::Refusal;
use crate::catchup::{LossReason, Recovery, Start};
use crate::channel::ChannelName;
use crate::cursor::Since;
use crate::hub::Hub;
use futures_util::future::try_join_all;

/// Opens channels for reading, in their order.
///
/// A bare position does not say of which channel it is, but epochs differ: if it fits one of them, it was that one's
/// cursor and the others are new, so they start live. If it fits none, each says that its epoch changed.
///
/// # Errors
/// As [`open`], of the first channel that cannot be opened.
pub async fn open_all(
    hub: &Hub,
    channels: &[ChannelName],
    since: &Since,
) -> Result<Vec<Opened>, Refusal> {
    let starts = since.starts(channels);
    let opening = channels.iter().zip(starts);
    let opening = opening.map(|(channel, start)| open(hub.clone(), channel.clone(), start));
    let mut opened = try_join_all(opening).await?;
    let is_bare = matches!(since, Since::Cursor(cursor) if cursor.is_bare());
    if is_bare && !opened.iter().all(is_of_another_epoch) {
        for channel in opened.iter_mut().filter(|opened| is_of_another_epoch(opened)) {
            *channel = open(hub.clone(), channel.channel().clone(), Start::Live).await?;
        }
    }
    Ok(opened)
}

fn is_of_another_epoch(opened: &Opened) -> bool {
    opened.joined().recovery == Some(Recovery::Lost(LossReason::EpochChanged))
}

#[cfg(test)]
mod tests {
    use super::super::tests::publish;
    use super::*;
    use crate::testing::{TestHub, channel};

    #[tokio::test(start_paused = true)]
    async fn a_bare_position_resumes_its_own_channel_and_starts_the_others_live() {
        let hub = TestHub::start();
        let channels = [channel("a:one"), channel("a:two")];
        publish(&hub, "a:one", 3).await;
        publish(&hub, "a:two", 2).await;
        let top = hub.state(&channels[0]).await.unwrap().top;

        let since = Since::from(top.to_string().as_str());
        let opened = open_all(&hub, &channels, &since).await.unwrap();
        assert_eq!(opened[0].joined().recovery, Some(Recovery::Recovered));
        assert_eq!(opened[1].joined().recovery, None);
        assert_eq!(opened[1].joined().position, hub.state(&channels[1]).await.unwrap().top);

        let opened = open_all(&hub, &channels, &Since::from("gone-1")).await.unwrap();
        assert!(opened.iter().all(is_of_another_epoch), "a position of neither is a loss in both");
    }
}
