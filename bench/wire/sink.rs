//! The null sink.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};

use crate::Args;
use crate::frames::{FETCH, FETCH_BYTES, In, Out, PRODUCE, Res, ask, batch, dial, read_frame};

/// Answers Produce and Fetch at once and hands everything else to a real broker, in whose place it stands.
pub(crate) fn sink(args: &Args) -> Res<()> {
    let listener = TcpListener::bind(args.text("listen"))?;
    let (port, broker) = (listener.local_addr()?.port(), args.text("broker"));
    let ready = batch(64, 1024);
    println!("{{\"port\":{port}}}");
    for stream in listener.incoming() {
        let (stream, broker, ready) = (stream?, broker.clone(), ready.clone());
        std::thread::spawn(move || {
            let _ended = sink_connection(stream, port, &broker, &ready);
        });
    }
    Ok(())
}

fn sink_connection(mut stream: TcpStream, port: u16, broker: &str, ready: &[u8]) -> Res<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(256 << 10, stream.try_clone()?);
    let (mut behind, mut frame, mut answers) = (None, Vec::new(), Vec::new());
    loop {
        read_frame(&mut reader, &mut frame)?;
        let mut rest = In(&frame);
        let api = (rest.i16()?, rest.i16()?);
        let correlation = rest.i32()?;
        rest.string()?;
        if api == PRODUCE {
            rest.take(8)?;
            let (_, _, topic) = (rest.take(0)?, rest.i32()?, rest.string()?);
            let (_, partition) = (rest.i32()?, rest.i32()?);
            let mut out = Out(vec![0; 4]);
            out.i32(correlation)
                .i32(1)
                .string(&topic)
                .i32(1)
                .i32(partition)
                .i16(0)
                .i64(0)
                .i64(-1)
                .i64(0)
                .i32(0);
            answers.extend(out.framed());
        } else if api == FETCH {
            rest.take(25)?;
            let (_, topic) = (rest.i32()?, rest.string()?);
            let (_, partition, _, offset) = (rest.i32()?, rest.i32()?, rest.i32()?, rest.i64()?);
            let count = FETCH_BYTES as usize / ready.len();
            let mut out = Out(vec![0; 4]);
            out.i32(correlation).i32(0).i16(0).i32(0).i32(1).string(&topic).i32(1).i32(partition).i16(0);
            out.i64(1 << 40).i64(1 << 40).i64(0).i32(-1).i32(-1).i32((count * ready.len()) as i32);
            for each in 0..count {
                let at = out.0.len();
                out.bytes(ready);
                out.0[at..at + 8].copy_from_slice(&(offset + 64 * each as i64).to_be_bytes());
            }
            answers.extend(out.framed());
        } else {
            let behind = match &mut behind {
                Some(behind) => behind,
                None => behind.insert(dial(broker)?),
            };
            behind.write_all(&(frame.len() as u32).to_be_bytes())?;
            let mut answer = ask(behind, &frame)?;
            readdress(&mut answer, broker, port);
            answers.extend((answer.len() as u32).to_be_bytes());
            answers.extend(answer);
        }
        // Answers leave together once nothing more lies in the buffer.
        if reader.buffer().is_empty() {
            stream.write_all(&answers)?;
            answers.clear();
        }
    }
}

/// The broker's address becomes the sink's: same host, another port.
fn readdress(answer: &mut [u8], broker: &str, port: u16) {
    let Some((host, from)) = broker.rsplit_once(':') else { return };
    let mut wanted = host.as_bytes().to_vec();
    wanted.extend(from.parse::<u32>().unwrap_or(0).to_be_bytes());
    let size = wanted.len();
    for at in 0..answer.len().saturating_sub(size - 1) {
        if answer[at..at + size] == wanted[..] {
            answer[at + size - 4..at + size].copy_from_slice(&u32::from(port).to_be_bytes());
        }
    }
}
