//! What surrounds a measurement: topics, ends, groups, idle connections.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use crate::Args;
use crate::frames::{
    API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS, FIND_COORDINATOR, In, LIST_OFFSETS, OFFSET_COMMIT, Out, Res,
    ask, dial, leaders,
};

/// Sum of the partitions' log ends.
pub(crate) fn ends(args: &Args) -> Res<()> {
    println!("{{\"end\":{}}}", end_of(&args.text("to"), &args.text("topic"))?);
    Ok(())
}

pub(crate) fn end_of(address: &str, topic: &str) -> Res<i64> {
    let mut sum = 0;
    for (partition, node) in leaders(address, topic)? {
        sum += end_of_partition(&node, topic, partition)?;
    }
    Ok(sum)
}

pub(crate) fn end_of_partition(place: &str, topic: &str, partition: i32) -> Res<i64> {
    let mut request = Out::request(LIST_OFFSETS);
    request.i32(-1).i32(1).string(topic).i32(1).i32(partition).i64(-1);
    let answer = ask(&mut dial(place)?, &request.framed())?;
    let mut rest = In(&answer[8..]);
    rest.string()?;
    rest.take(8)?;
    let error = rest.i16()?;
    rest.take(8)?;
    if error != 0 {
        return Err(format!("list offsets: error code {error}").into());
    }
    rest.i64()
}

pub(crate) fn create(args: &Args) -> Res<()> {
    let settings = args.text("set");
    let pairs: Vec<_> = settings.split(',').filter_map(|pair| pair.split_once('=')).collect();
    let names = args.text("topic");
    let names: Vec<_> = names.split(',').collect();
    let mut request = Out::request(CREATE_TOPICS);
    request.i32(names.len() as i32);
    for name in &names {
        request.string(name).i32(args.number("partitions", 1)).i16(1).i32(0).i32(pairs.len() as i32);
        for (key, value) in &pairs {
            request.string(key).string(value);
        }
    }
    request.i32(30_000).i8(0);
    let answer = ask(&mut dial(&args.text("to"))?, &request.framed())?;
    let mut rest = In(&answer[12..]);
    for _ in &names {
        let name = rest.string()?;
        let error = rest.i16()?;
        let message = rest.string()?;
        if error != 0 {
            return Err(format!("{name}: error code {error} {message}").into());
        }
    }
    // A broker answers before its partitions have leaders that know of it.
    for name in names {
        let end = Instant::now() + Duration::from_secs(30);
        while let Err(error) = end_of(&args.text("to"), name) {
            if Instant::now() > end {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    println!("{{}}");
    Ok(())
}

pub(crate) fn delete(args: &Args) -> Res<()> {
    let mut request = Out::request(DELETE_TOPICS);
    request.i32(1).string(&args.text("topic")).i32(30_000);
    let answer = ask(&mut dial(&args.text("to"))?, &request.framed())?;
    let mut rest = In(&answer[12..]);
    rest.string()?;
    match rest.i16()? {
        0 => println!("{{}}"),
        error => return Err(format!("delete: error code {error}").into()),
    }
    Ok(())
}

/// Commits an offset for a group without members, which makes the group.
pub(crate) fn commit(args: &Args) -> Res<()> {
    let mut request = Out::request(OFFSET_COMMIT);
    request.string(&args.text("group")).i32(-1).string("").i64(-1).i32(1).string(&args.text("topic"));
    request.i32(1).i32(0).i64(0).string("");
    let request = request.framed();
    for _ in 0..100 {
        // Asking for the coordinator makes the broker create its topic of offsets.
        let mut find = Out::request(FIND_COORDINATOR);
        find.string(&args.text("group"));
        ask(&mut dial(&args.text("to"))?, &find.framed())?;
        let answer = ask(&mut dial(&args.text("to"))?, &request)?;
        let mut rest = In(&answer[8..]);
        rest.string()?;
        rest.take(8)?;
        if rest.i16()? == 0 {
            println!("{{}}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err("the coordinator does not take the commit".into())
}

/// Connections that have said hello and stay; ends with its standard input.
pub(crate) fn idle(args: &Args) -> Res<()> {
    let hello = Out::request(API_VERSIONS).framed();
    let mut open = Vec::new();
    for _ in 0..args.number::<usize>("connections", 1000) {
        let mut stream = dial(&args.text("to"))?;
        ask(&mut stream, &hello)?;
        open.push(stream);
    }
    println!("{{\"open\":{}}}", open.len());
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
