//! An upload of any length, of which a checksum is made while it comes.
//!
//! `cargo run --example upload -- 127.0.0.1:8080`, and then `curl -T some.iso localhost:8080`
//!
//! The lesson: a [`Sink`] sees the body in pieces, so an upload takes no more memory than one receive. Back-pressure is the
//! kernel's: what is not taken is not received.

use edgeloop::http::Fields;
use edgeloop::server::{Sink, Taken};
use edgeloop::{Handler, Intake, Reply, Request, ResponseWriter, Server, Signals};

/// Beyond it the client gets 413, at once if it says the length.
const UPLOAD_BYTES_MAX: u64 = 1 << 40;

/// Adler-32 (RFC 1950 §8.2): short enough for an example, and known to zlib.
struct Checksum {
    bytes: u64,
    a: u32,
    b: u32,
}

impl Checksum {
    const BASE: u32 = 65_521;

    fn new() -> Checksum {
        Checksum {
            bytes: 0,
            a: 1,
            b: 0,
        }
    }
}

impl Sink for Checksum {
    fn on_data(&mut self, data: &[u8]) -> Taken {
        self.bytes += data.len() as u64;
        // So many bytes can't overflow the sums before they are reduced.
        for part in data.chunks(5_552) {
            for byte in part {
                self.a += u32::from(*byte);
                self.b += self.a;
            }
            self.a %= Checksum::BASE;
            self.b %= Checksum::BASE;
        }
        Taken::All
    }

    fn on_end(self: Box<Self>, _: Fields<'_>, res: ResponseWriter<'_>) -> Reply {
        let Checksum { bytes, a, b } = *self;
        let sum = b << 16 | a;
        res.status(200)
            .text(format!("{bytes} bytes, Adler-32 {sum:08x}\n"))
    }
}

struct Uploads;

impl Handler for Uploads {
    fn intake(&mut self, req: &Request<'_>, res: ResponseWriter<'_>) -> Intake {
        match req.method() {
            "POST" | "PUT" => Intake::stream(UPLOAD_BYTES_MAX, Checksum::new()),
            _ => Intake::Buffer(res.limits().body_bytes_max),
        }
    }

    /// What has no body comes here.
    fn on_request(&mut self, _: &Request<'_>, res: ResponseWriter<'_>) -> Reply {
        res.status(200).text("send a body\n")
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    let signals = Signals::block()?;
    let serving = Server::bind(&address)?
        .drain_on(signals)
        .serve(|_core| Uploads)?;
    println!("listening on {}", serving.addresses()[0]);
    serving.run()?;
    Ok(())
}
