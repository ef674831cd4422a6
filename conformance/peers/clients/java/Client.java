import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Test program on kafka-clients; one source for the 4.x and the 3.9 jar. */
public final class Client {
    /** Turns true at SIGTERM. */
    static volatile boolean stopped;

    private Client() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 0 || args[0].equals("--help")) {
            System.err.println("usage: produce|consume|admin ... (see conformance/peers/README.md)");
            System.exit(args.length == 0 ? 2 : 0);
        }
        Thread runner = Thread.currentThread();
        CountDownLatch ended = new CountDownLatch(1);
        // The virtual machine ends when its hooks have run, so the hook waits until the client has said goodbye.
        Thread hook = new Thread(() -> {
            stopped = true;
            try {
                ended.await(150, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                runner.interrupt();
            }
        });
        Runtime.getRuntime().addShutdownHook(hook);
        int code = 2;
        try {
            code = run(new Options(args));
        } catch (IllegalArgumentException e) {
            System.err.println("client: " + e.getMessage());
        } finally {
            History.flush();
            ended.countDown();
        }
        // With the code of the run, even when a signal began the end.
        Runtime.getRuntime().halt(code);
    }

    private static int run(Options options) throws Exception {
        switch (options.command) {
            case "produce":
                return new Produce(options).run();
            case "consume":
                return new Consume(options).run();
            case "admin":
                return Administer.run(options);
            default:
                throw new IllegalArgumentException("no command " + options.command);
        }
    }

    static String library() {
        // The class that knows the version has moved between 3.9 and 4.4; the file beside it has not.
        Properties found = new Properties();
        try (InputStream in = Client.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            found.load(in);
        } catch (IOException | NullPointerException e) {
            return "kafka-clients of unknown version";
        }
        return "kafka-clients " + found.getProperty("version");
    }
}
