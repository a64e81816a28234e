//! A chat backend: clients call `chat.say`, and the reply publishes what they say to the room.
//!
//! Start with `say`. What is around it reads two variables and stops at Ctrl-C.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use fanline_client::{Call, Client, Code, Publication, Refusal, Reply};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Say {
    text: String,
}

async fn say(call: Call) -> Result<Reply, Refusal> {
    let Say { text } = call.json()?;
    // The hub has checked that the client may follow this channel, and who the client is.
    let (room, user) = (&call.command.channel, &call.command.user);
    if !room.starts_with("chat:") {
        return Err(invalid("channel: say it in a room, chat:…"));
    }
    if text.trim().is_empty() {
        return Err(invalid("data.text: say something"));
    }
    let message = Publication::json(room, "message", &json!({"text": text}))?.header("user", user);
    Ok(Reply::json(&json!({"said": text}))?.publish(message))
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(Code::InvalidArgument, "INVALID_ARGUMENT", message)
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let url = env::var("FANLINE_URL").unwrap_or_else(|_| "http://127.0.0.1:50051".to_owned());
    let key = env::var("FANLINE_API_KEY").map_err(|_| "set FANLINE_API_KEY")?;
    let client = Client::builder(url).api_key(key).build()?;
    let worker = client.serve(["chat.say"], say).on_serving(|| println!("answering chat.say"));
    worker.run(async { drop(tokio::signal::ctrl_c().await) }).await?;
    Ok(())
}
