//! `fanline check`: drives a running hub as its clients and its backends do, and says of each thing whether it works.
//!
//! Every check stands alone: it listens to a channel, has gRPC publish to it, and waits for what must come. Read [`run`]
//! first, then [`Transport`], which is what the ways to listen have in common. What a hub is told to be is not checked here
//! but by `fanline config check`.

mod poll;
mod report;
mod scene;
mod sse;
mod transport;
mod websocket;

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use http::StatusCode;

use self::poll::Poll;
use self::report::Report;
use self::scene::Scene;
use self::sse::Sse;
use self::transport::{Closed, Transport};
use self::websocket::WebSocket;
use super::target::{self, Target};
use crate::cli::Check;

pub(super) async fn run(arguments: Check) -> Result<ExitCode> {
    let targets = arguments.urls.iter().map(|url| Target::parse(url).context("--url"));
    let targets = targets.collect::<Result<Vec<_>>>()?;
    let mut report = Report::new(arguments.timeout);
    let mut scene = Scene::set(arguments)?;
    let publishes = report.check("gRPC publishes".to_owned(), scene.connect()).await?;
    for target in &targets {
        refusals(&mut report, &scene, target).await?;
    }
    if publishes {
        let mut delivers = Vec::new();
        for target in &targets {
            delivers.push(deliveries(&mut report, &scene, target).await?);
        }
        for (pair, deliver) in targets.windows(2).zip(delivers.windows(2)) {
            if deliver.iter().all(|&delivers| delivers) {
                moves(&mut report, &scene, &pair[0], &pair[1]).await?;
            }
        }
    }
    report.close()
}

/// No transport may let a forged token in.
async fn refusals(report: &mut Report, scene: &Scene, target: &Target) -> Result<()> {
    async fn one<T: Transport>(report: &mut Report, scene: &Scene, target: &Target) -> Result<()> {
        let what = format!("{target}  {} refuses a forged token", T::NAME);
        report.check(what, refuses::<T>(scene, target)).await.map(drop)
    }
    one::<WebSocket>(report, scene, target).await?;
    one::<Sse>(report, scene, target).await?;
    one::<Poll>(report, scene, target).await?;
    let what = format!("{target}  the uplink refuses a forged token");
    report.check(what, uplink_refuses(scene, target)).await.map(drop)
}

/// Every transport delivers what gRPC publishes, and goes on where it stood. Says whether all deliver.
async fn deliveries(report: &mut Report, scene: &Scene, target: &Target) -> Result<bool> {
    async fn one<T: Transport>(
        report: &mut Report,
        scene: &Scene,
        target: &Target,
    ) -> Result<bool> {
        let name = T::NAME;
        let what = format!("{target}  {name} delivers what gRPC publishes");
        let delivers = report.check(what, delivers::<T>(scene, target)).await?;
        if delivers {
            let what = format!("{target}  {name} resumes, nothing missed");
            report.check(what, goes_on::<T, T>(scene, target, target)).await?;
        }
        Ok(delivers)
    }
    let websocket = one::<WebSocket>(report, scene, target).await?;
    let sse = one::<Sse>(report, scene, target).await?;
    let poll = one::<Poll>(report, scene, target).await?;
    Ok(websocket && sse && poll)
}

/// Two nodes are one hub: who left one goes on at the other, also on another transport.
async fn moves(report: &mut Report, scene: &Scene, from: &Target, to: &Target) -> Result<()> {
    async fn one<A: Transport, B: Transport>(
        report: &mut Report,
        scene: &Scene,
        from: &Target,
        to: &Target,
    ) -> Result<()> {
        let what = format!("{to}  {} goes on where {} of {from} stood", B::NAME, A::NAME);
        report.check(what, goes_on::<A, B>(scene, from, to)).await.map(drop)
    }
    one::<WebSocket, Sse>(report, scene, from, to).await?;
    one::<Sse, Poll>(report, scene, from, to).await?;
    one::<Poll, WebSocket>(report, scene, from, to).await
}

async fn refuses<T: Transport>(scene: &Scene, target: &Target) -> Result<()> {
    match T::open(target, &scene.forged(), scene.channel(), None).await {
        Err(Closed::Refused(StatusCode::UNAUTHORIZED)) => Ok(()),
        Err(Closed::Refused(StatusCode::NOT_FOUND)) => {
            bail!("it is answered 404 Not Found, not 401; is this the public listener of a hub?")
        }
        Err(Closed::Refused(status)) => bail!("it is answered {status}, not 401"),
        Err(Closed::Failed(error)) => Err(error),
        Ok(_) => bail!("it is let in"),
    }
}

async fn uplink_refuses(scene: &Scene, target: &Target) -> Result<()> {
    let path = target::path("/v1/history", &[("channel", scene.channel())]);
    let status = target.get(&path, Some(&scene.forged())).await?.status();
    ensure!(status == StatusCode::UNAUTHORIZED, "it is answered {status}, not 401");
    Ok(())
}

async fn delivers<T: Transport>(scene: &Scene, target: &Target) -> Result<()> {
    let mut listener = T::open(target, scene.token(), scene.channel(), None).await?;
    let published = scene.publish().await?;
    while listener.next().await? != published {}
    Ok(())
}

/// Others may publish to the channel too, so that it counts only what comes in which order.
async fn goes_on<A: Transport, B: Transport>(
    scene: &Scene,
    from: &Target,
    to: &Target,
) -> Result<()> {
    let mut listener = A::open(from, scene.token(), scene.channel(), None).await?;
    let seen = scene.publish().await?;
    while listener.next().await? != seen {}
    let place = listener.place().to_owned();
    drop(listener);
    let missed = [scene.publish().await?, scene.publish().await?];
    let mut listener = B::open(to, scene.token(), scene.channel(), Some(&place)).await?;
    if let Some(reason) = listener.lost() {
        bail!(
            "it is not recovered ({reason}); does the namespace keep history, in a broker of both?"
        );
    }
    let first = listener.next().await?;
    ensure!(first != seen, "the event {first} comes again");
    let mut came = vec![first];
    while came.last() != missed.last() {
        came.push(listener.next().await?);
    }
    ensure!(came.contains(&missed[0]), "the event {} does not come", missed[0]);
    Ok(())
}
