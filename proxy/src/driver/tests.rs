//! A scripted session over real loopback sockets.
//!
//! Its frames are a length (u32, big-endian) and a body. The body's first byte says what happens: `e` is
//! sent back, `n` asks for so many bytes, `k` asks shard 0, `h` waits for a held unit, `l` goes to legacy,
//! `p` pauses until the kernel has answered, `v` is a violation.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use config::HostPort;
use kernel_model::reply::{Chunk, ColdRead, ColdSource, Records};
use kernel_model::{LogId, Offset, Reply, ShardId};
use parking_lot::Mutex;
use session::{Held, LegacyNode, Request, UnitId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::shards::ShardMessage;

#[derive(Default)]
struct Scripted {
    out: std::collections::VecDeque<Bytes>,
    requests: std::collections::VecDeque<(RequestId, Request)>,
    legacy: std::collections::VecDeque<LegacyAction>,
    timeout: Option<Duration>,
    next: u64,
    connected: bool,
    paused: bool,
    largest_input: Arc<AtomicUsize>,
}

fn frame(body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u32(u32::try_from(body.len()).unwrap());
    out.put_slice(body);
    out.freeze()
}

impl Scripted {
    fn request(&mut self, request: Request) {
        self.next += 1;
        self.requests.push_back((RequestId(self.next), request));
    }

    fn take(&mut self, now: Now, body: Bytes) -> Result<(), Violation> {
        match body.first() {
            Some(b'e') => self.out.push_back(frame(&body)),
            Some(b'n') => {
                let count = (&body[1..]).get_u32() as usize;
                self.out.push_back(Bytes::from(vec![b'n'; count]));
            }
            Some(b'k' | b'p') => {
                self.paused = body[0] == b'p';
                let request = kernel_model::Request::Describe { log: LogId(0) };
                self.request(Request::Kernel { shard: ShardId(0), request });
            }
            Some(b'h') => self.request(Request::Hold(UnitId::new("u"))),
            Some(b'l') => {
                if !std::mem::replace(&mut self.connected, true) {
                    self.legacy.push_back(LegacyAction::Connect(LegacyNode::Any));
                }
                self.legacy.push_back(LegacyAction::Transmit(frame(&body)));
            }
            Some(b't') => self.timeout = Some(now.deadline(Duration::from_millis(20))),
            _ => {
                self.out.push_back(frame(b"farewell"));
                return Err(Violation::Protocol("scripted".to_owned()));
            }
        }
        Ok(())
    }
}

impl Session for Scripted {
    fn handle_input(&mut self, now: Now, input: &mut BytesMut) -> Result<Progress, Violation> {
        self.largest_input.fetch_max(input.capacity(), Ordering::SeqCst);
        while !self.paused {
            let Some(length) = input.get(..4) else { break };
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if input.len() < 4 + length {
                return Ok(Progress { paused: false, wanted: 4 + length - input.len() });
            }
            input.advance(4);
            let body = input.split_to(length).freeze();
            self.take(now, body)?;
        }
        Ok(Progress { paused: self.paused, wanted: 0 })
    }

    fn handle_reply(&mut self, _: Now, _: RequestId, answer: Result<Answer, KernelError>) {
        self.paused = false;
        let text = match answer {
            Ok(Answer::Kernel(Reply::Records(records))) => match records.chunks.first() {
                Some(Chunk::Hot(bytes)) => bytes.to_vec(),
                _ => b"cold".to_vec(),
            },
            Ok(Answer::Kernel(_)) => b"kernel".to_vec(),
            Ok(Answer::Released) => b"released".to_vec(),
            Err(error) => error.to_string().into_bytes(),
        };
        self.out.push_back(frame(&text));
    }

    fn handle_legacy(&mut self, _: Now, event: LegacyEvent<'_>) -> Result<Progress, Violation> {
        match event {
            LegacyEvent::Connected => {}
            LegacyEvent::Bytes(bytes) => self.out.push_back(bytes.split().freeze()),
            LegacyEvent::Closed(_) => self.out.push_back(frame(b"closed")),
            LegacyEvent::Retired => self.legacy.push_back(LegacyAction::Close),
        }
        Ok(Progress::default())
    }

    fn handle_timeout(&mut self, _: Now) -> Result<(), Violation> {
        self.timeout = None;
        self.out.push_back(frame(b"late"));
        Err(Violation::TimedOut("scripted"))
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        self.requests.pop_front()
    }

    fn poll_legacy(&mut self) -> Option<LegacyAction> {
        self.legacy.pop_front()
    }

    fn poll_event(&mut self) -> Option<Event> {
        None
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn wants_input(&self) -> bool {
        !self.paused
    }

    fn held(&self) -> Held {
        Held { requests: 0, answers: self.out.iter().map(Bytes::len).sum() }
    }
}

#[derive(Default)]
struct Ends(Mutex<Vec<Ending>>);

impl Observer for Ends {
    fn opened(&self, _: ConnectionId, _: SocketAddr) {}
    fn observed(&self, _: ConnectionId, _: Event) {}
    fn closed(&self, _: ConnectionId, ending: &Ending) {
        self.0.lock().push(ending.clone());
    }
}

struct Bench {
    client: TcpStream,
    driver: JoinHandle<Ending>,
    shard: mpsc::Receiver<ShardMessage>,
    legacy: Option<Arc<LegacyCluster>>,
    holds: Arc<HoldRegistry>,
    stop: watch::Sender<Option<Duration>>,
    clock: Clock,
    largest_input: Arc<AtomicUsize>,
}

const LIMITS: DriverLimits = DriverLimits {
    transmit_bytes_max: 64 * 1024,
    requests_in_flight_max: 4,
    input_bytes_max: 32 * 1024 * 1024,
    stall: Duration::from_secs(20),
    linger: Duration::from_secs(5),
    connect: Duration::from_secs(5),
    patience: Duration::from_millis(100),
};

async fn bench_with(limits: DriverLimits, legacy: Option<SocketAddr>) -> Bench {
    bench_of(limits, legacy, &Arc::new(Memory::new(1 << 30))).await
}

async fn bench_of(limits: DriverLimits, legacy: Option<SocketAddr>, memory: &Arc<Memory>) -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.set_nodelay(true).unwrap();
    let (socket, peer) = listener.accept().await.unwrap();
    let (port, shard) = mpsc::channel(2);
    let (stop, stopped) = watch::channel(None);
    let clock = Clock::start();
    let holds = Arc::new(HoldRegistry::default());
    let around = Arc::new(Surroundings {
        clock,
        shards: Shards::new(vec![port]),
        holds: Arc::clone(&holds),
        observer: Arc::new(Ends::default()),
        limits,
        memory: Arc::clone(memory),
        traffic: Traffic::uncounted(),
        stop: stopped,
    });
    let legacy = legacy.map(|address| {
        let bootstrap = vec![HostPort { host: "127.0.0.1".to_owned(), port: address.port() }];
        Arc::new(LegacyCluster::new(bootstrap, None))
    });
    let session = Scripted::default();
    let largest_input = Arc::clone(&session.largest_input);
    let behind = legacy.clone();
    let connection = Connection { id: ConnectionId(1), peer, socket: Socket::Plain(socket), legacy: behind };
    let driver = drive(Box::new(session), connection, around);
    // An idle connection is little more than this.
    assert!(size_of_val(&driver) < 4096, "{} bytes", size_of_val(&driver));
    let driver = tokio::spawn(driver);
    Bench { client, driver, shard, legacy, holds, stop, clock, largest_input }
}

async fn bench() -> Bench {
    bench_with(LIMITS, None).await
}

async fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let length = within(stream.read_u32()).await.unwrap();
    let mut body = vec![0; length as usize];
    within(stream.read_exact(&mut body)).await.unwrap();
    body
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("nothing happened in time")
}

async fn answer(shard: &mut mpsc::Receiver<ShardMessage>, reply: Reply) {
    match within(shard.recv()).await.unwrap() {
        ShardMessage::Request { reply_to, .. } => reply_to.send(Ok(Answer::Kernel(reply))),
        ShardMessage::Cancel(_) => panic!("cancelled"),
    }
}

#[tokio::test]
async fn one_byte_at_a_time_arrives_as_the_same_frames() {
    let mut bench = bench().await;
    for byte in [frame(b"e1"), frame(b"e22")].concat() {
        bench.client.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(read_frame(&mut bench.client).await, b"e1");
    assert_eq!(read_frame(&mut bench.client).await, b"e22");
    drop(bench.client);
    assert_eq!(within(bench.driver).await.unwrap(), Ending::ClientClosed);
}

#[tokio::test]
async fn a_length_field_alone_allocates_nothing() {
    let mut bench = bench().await;
    bench.client.write_all(&(30_u32 << 20).to_be_bytes()).await.unwrap();
    bench.client.write_all(&[b'e'; 1000]).await.unwrap();
    bench.client.shutdown().await.unwrap();
    assert_eq!(within(bench.driver).await.unwrap(), Ending::ClientClosed);
    assert!(bench.largest_input.load(Ordering::SeqCst) < 600_000);
}

#[tokio::test]
async fn a_large_frame_arrives_whole() {
    let mut bench = bench().await;
    let body = vec![b'e'; 5 << 20];
    let (mut reader, mut writer) = bench.client.split();
    let mut echoed = vec![0; body.len() + 4];
    let request = frame(&body);
    let (sent, read) = tokio::join!(writer.write_all(&request), within(reader.read_exact(&mut echoed)));
    sent.unwrap();
    read.unwrap();
    assert_eq!(&echoed[4..], &body[..]);
}

#[tokio::test]
async fn a_slow_reader_stops_being_read_and_loses_nothing() {
    let mut bench = bench().await;
    // Far more than the transmit bound and both socket buffers; requests queue up behind it.
    let ask = frame(&[b"n".as_slice(), &(32_u32 << 20).to_be_bytes()].concat());
    bench.client.write_all(&ask).await.unwrap();
    let chunk = frame(&[b'e'; 60_000]);
    let mut accepted = 0;
    while let Ok(written) =
        tokio::time::timeout(Duration::from_millis(300), bench.client.write(&chunk[accepted % chunk.len()..]))
            .await
    {
        accepted += written.unwrap();
        assert!(accepted < 30 << 20, "the driver goes on reading");
    }
    let mut answer = vec![0; 32 << 20];
    within(bench.client.read_exact(&mut answer)).await.unwrap();
    assert!(answer.iter().all(|byte| *byte == b'n'));
    for _ in 0..accepted / chunk.len() {
        assert_eq!(read_frame(&mut bench.client).await.len(), 60_000);
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped_in_the_end() {
    let limits = DriverLimits { stall: Duration::from_millis(100), ..LIMITS };
    let mut bench = bench_with(limits, None).await;
    let ask = frame(&[b"n".as_slice(), &(32_u32 << 20).to_be_bytes()].concat());
    bench.client.write_all(&ask).await.unwrap();
    assert_eq!(within(bench.driver).await.unwrap(), Ending::Stalled);
}

#[tokio::test]
async fn a_client_that_sends_no_more_still_gets_its_answers() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"k")).await.unwrap();
    bench.client.shutdown().await.unwrap();
    answer(&mut bench.shard, Reply::Done).await;
    assert_eq!(read_frame(&mut bench.client).await, b"kernel");
    assert_eq!(within(bench.client.read(&mut [0; 8])).await.unwrap(), 0);
    assert_eq!(within(bench.driver).await.unwrap(), Ending::ClientClosed);
}

#[tokio::test]
async fn a_violation_says_farewell_before_it_closes() {
    let mut bench = bench().await;
    // The bytes behind the violation are never looked at, and must not reset the connection.
    bench.client.write_all(&[frame(b"v"), Bytes::from(vec![0; 200_000])].concat()).await.unwrap();
    assert_eq!(read_frame(&mut bench.client).await, b"farewell");
    assert_eq!(within(bench.client.read(&mut [0; 8])).await.unwrap(), 0);
    drop(bench.client);
    assert!(matches!(within(bench.driver).await.unwrap(), Ending::Violation(Violation::Protocol(_))));
}

#[tokio::test]
async fn a_paused_session_goes_on_with_what_was_read_before() {
    let mut bench = bench().await;
    bench.client.write_all(&[frame(b"p"), frame(b"e after")].concat()).await.unwrap();
    answer(&mut bench.shard, Reply::Done).await;
    assert_eq!(read_frame(&mut bench.client).await, b"kernel");
    assert_eq!(read_frame(&mut bench.client).await, b"e after");
}

#[tokio::test]
async fn requests_beyond_the_bound_and_a_full_shard_wait_and_are_all_answered() {
    let mut bench = bench().await;
    for _ in 0..20 {
        bench.client.write_all(&frame(b"k")).await.unwrap();
    }
    for _ in 0..20 {
        answer(&mut bench.shard, Reply::Done).await;
    }
    for _ in 0..20 {
        assert_eq!(read_frame(&mut bench.client).await, b"kernel");
    }
}

#[tokio::test]
async fn a_shard_that_is_gone_is_an_error_and_not_silence() {
    let mut bench = bench().await;
    drop(bench.shard);
    bench.client.write_all(&frame(b"k")).await.unwrap();
    let text = read_frame(&mut bench.client).await;
    assert!(String::from_utf8(text).unwrap().contains("gone"));
}

struct Stored;

impl ColdSource for Stored {
    fn read(&self, position: u64, len: usize) -> Result<Bytes, KernelError> {
        Ok(Bytes::from(vec![u8::try_from(position).unwrap(); len]))
    }
}

#[tokio::test]
async fn stored_chunks_are_in_memory_when_the_session_sees_them() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"k")).await.unwrap();
    let cold = ColdRead { source: Arc::new(Stored), position: 7, len: 3 };
    let end = Offset(0);
    let records = Records {
        chunks: vec![Chunk::Cold(cold)],
        start: end,
        durable_end: end,
        stable_end: end,
        aborted: Vec::new(),
    };
    answer(&mut bench.shard, Reply::Records(records)).await;
    assert_eq!(read_frame(&mut bench.client).await, [7, 7, 7]);
}

#[tokio::test]
async fn a_held_write_goes_on_when_its_unit_is_released() {
    let mut bench = bench().await;
    let unit = UnitId::new("u");
    bench.holds.hold(&unit);
    bench.client.write_all(&frame(b"h")).await.unwrap();
    within(async {
        while bench.holds.waiting() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    bench.holds.release(&unit);
    assert_eq!(read_frame(&mut bench.client).await, b"released");
}

#[tokio::test]
async fn timeouts_are_the_sessions() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"t")).await.unwrap();
    assert_eq!(read_frame(&mut bench.client).await, b"late");
    drop(bench.client);
    assert!(matches!(within(bench.driver).await.unwrap(), Ending::Violation(Violation::TimedOut(_))));
}

#[tokio::test]
async fn bytes_go_to_legacy_and_back_and_a_last_write_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = bench_with(LIMITS, Some(listener.local_addr().unwrap())).await;
    bench.client.write_all(&frame(b"l one")).await.unwrap();
    let (mut legacy, _) = within(listener.accept()).await.unwrap();
    assert_eq!(read_frame(&mut legacy).await, b"l one");
    legacy.write_all(&frame(b"two")).await.unwrap();
    assert_eq!(read_frame(&mut bench.client).await, b"two");
    // The client writes and leaves at once: legacy gets everything, then the end, and may still answer.
    bench.client.write_all(&frame(&[b'l'; 300_000])).await.unwrap();
    bench.client.shutdown().await.unwrap();
    assert_eq!(read_frame(&mut legacy).await.len(), 300_000);
    assert_eq!(within(legacy.read(&mut [0; 8])).await.unwrap(), 0);
    legacy.write_all(&frame(b"three")).await.unwrap();
    drop(legacy);
    assert_eq!(read_frame(&mut bench.client).await, b"three");
    assert_eq!(within(bench.driver).await.unwrap(), Ending::ClientClosed);
}

#[tokio::test]
async fn a_silent_connection_to_a_retired_legacy_is_closed_and_none_is_made_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = bench_with(LIMITS, Some(listener.local_addr().unwrap())).await;
    bench.client.write_all(&frame(b"l one")).await.unwrap();
    let (mut legacy, _) = within(listener.accept()).await.unwrap();
    assert_eq!(read_frame(&mut legacy).await, b"l one");
    let cluster = bench.legacy.unwrap();
    cluster.retire();
    assert_eq!(within(legacy.read(&mut [0; 8])).await.unwrap(), 0);
    // The client keeps its own.
    bench.client.write_all(&frame(b"e")).await.unwrap();
    assert_eq!(read_frame(&mut bench.client).await, b"e");
    let again = cluster.connect(LegacyNode::Any, LIMITS.connect).await;
    assert!(again.is_err_and(|why| why.contains("retired")));
}

#[tokio::test]
async fn a_legacy_that_cannot_be_reached_is_told_to_the_session() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut bench = bench_with(LIMITS, Some(unused)).await;
    bench.client.write_all(&frame(b"l")).await.unwrap();
    assert_eq!(read_frame(&mut bench.client).await, b"closed");
    let mut bench = bench_with(LIMITS, None).await;
    bench.client.write_all(&frame(b"l")).await.unwrap();
    assert_eq!(read_frame(&mut bench.client).await, b"closed");
}

#[tokio::test]
async fn a_stop_lets_what_is_under_way_finish() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"k")).await.unwrap();
    let request = within(bench.shard.recv()).await.unwrap();
    bench.stop.send(Some(bench.clock.now().deadline(Duration::from_secs(20)))).unwrap();
    let ShardMessage::Request { reply_to, .. } = request else { panic!("cancelled") };
    reply_to.send(Ok(Answer::Kernel(Reply::Done)));
    assert_eq!(read_frame(&mut bench.client).await, b"kernel");
    assert_eq!(within(bench.client.read(&mut [0; 8])).await.unwrap(), 0);
    drop(bench.client);
    assert_eq!(within(bench.driver).await.unwrap(), Ending::Stopped);
}

#[tokio::test]
async fn a_stop_ends_at_its_deadline_whatever_is_under_way() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"k")).await.unwrap();
    let _unanswered = within(bench.shard.recv()).await.unwrap();
    bench.stop.send(Some(bench.clock.now().deadline(Duration::from_millis(50)))).unwrap();
    assert_eq!(within(bench.driver).await.unwrap(), Ending::Stopped);
    let cancelled = within(bench.shard.recv()).await;
    assert!(matches!(cancelled, Some(ShardMessage::Cancel(_))));
}

#[tokio::test]
async fn half_a_frame_holds_memory_for_a_while_and_small_requests_are_served_meanwhile() {
    let memory = Arc::new(Memory::new(16 << 20));
    let mut holder = bench_of(LIMITS, None, &memory).await;
    let [mut small, mut large] =
        [bench_of(LIMITS, None, &memory).await, bench_of(LIMITS, None, &memory).await];
    let body = vec![b'e'; 1 << 20];
    holder.client.write_all(&(13_u32 << 20).to_be_bytes()).await.unwrap();
    holder.client.write_all(&body).await.unwrap();
    within(memory.reached(Level::Tight)).await;
    assert!((13 << 20..14 << 20).contains(&memory.held()), "the whole frame counts: {}", memory.held());
    small.client.write_all(&frame(b"e1")).await.unwrap();
    assert_eq!(read_frame(&mut small.client).await, b"e1");
    large.client.write_all(&frame(&body)[..64 << 10]).await.unwrap();
    let exchange = tokio::spawn(async move {
        large.client.write_all(&frame(&body)[64 << 10..]).await.unwrap();
        assert_eq!(read_frame(&mut large.client).await, body);
    });
    assert_eq!(within(&mut holder.driver).await.unwrap(), Ending::OutOfMemory);
    assert!(!exchange.is_finished(), "another large frame waits for the one before");
    within(exchange).await.unwrap();
    drop(small.client);
    for driver in [small.driver, large.driver] {
        assert_eq!(within(driver).await.unwrap(), Ending::ClientClosed);
    }
    assert_eq!((memory.held(), memory.level()), (0, Level::Free));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_holds_memory_for_a_while() {
    let memory = Arc::new(Memory::new(8 << 20));
    let mut slow = bench_of(LIMITS, None, &memory).await;
    // The operating system takes some of it.
    let ask = frame(&[b"n".as_slice(), &(18_u32 << 20).to_be_bytes()].concat());
    slow.client.write_all(&ask).await.unwrap();
    assert_eq!(within(slow.driver).await.unwrap(), Ending::OutOfMemory);
    assert_eq!((memory.held(), memory.level()), (0, Level::Free));
}

#[tokio::test]
async fn who_moves_what_it_holds_stays_while_memory_is_short() {
    const ANSWERS: usize = 2;
    const ANSWER_BYTES: usize = 12 << 20;
    let memory = Arc::new(Memory::new(8 << 20));
    let _all = Arc::clone(&memory).borrow(7 << 20, Duration::ZERO).await;
    let mut bench = bench_of(LIMITS, None, &memory).await;
    let size = u32::try_from(ANSWER_BYTES).unwrap();
    let ask = frame(&[b"n".as_slice(), &size.to_be_bytes()].concat());
    let mut part = vec![0; 1 << 20];
    // Patience alone is 100 ms: what an answer may take is reckoned from its size, and begins anew with the next.
    for _ in 0..ANSWERS {
        bench.client.write_all(&ask).await.unwrap();
        for _ in 0..ANSWER_BYTES / part.len() {
            within(bench.client.read_exact(&mut part)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
    }
    drop(bench.client);
    assert_eq!(within(bench.driver).await.unwrap(), Ending::ClientClosed);
}

#[tokio::test]
async fn who_waits_for_the_kernel_does_not_have_to_go_for_what_lies_behind() {
    let memory = Arc::new(Memory::new(8 << 20));
    let mut bench = bench_of(LIMITS, None, &memory).await;
    let large = frame(&[b'e'; 200_000]);
    // Large frames first, so that the next read takes more than a little.
    for _ in 0..4 {
        bench.client.write_all(&large).await.unwrap();
        assert_eq!(read_frame(&mut bench.client).await.len(), 200_000);
    }
    bench.client.write_all(&[frame(b"p"), large].concat()).await.unwrap();
    let held = async {
        while memory.held() < 100_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(held).await;
    let _all = Arc::clone(&memory).borrow(7 << 20, Duration::ZERO).await;
    let early = tokio::time::timeout(Duration::from_secs(3), &mut bench.driver).await;
    assert!(early.is_err(), "{early:?}");
    answer(&mut bench.shard, Reply::Done).await;
    assert_eq!(read_frame(&mut bench.client).await, b"kernel");
    assert_eq!(read_frame(&mut bench.client).await.len(), 200_000);
}
