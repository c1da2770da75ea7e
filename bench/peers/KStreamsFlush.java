// Kafka Streams by hand for J2: sums by account in one store, an index by due time in another, and a
// punctuator that sends what is due on and forgets it. Both stores have changelogs; at least once.
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public class KStreamsFlush {
    static final long AFTER_MS = Long.parseLong(System.getenv("BENCH_FLUSH_MS"));
    static final int STATE = 40;  // four sums and when they are due

    static final class Sessions implements Processor<byte[], byte[], byte[], byte[]> {
        private final ObjectReader reader = new ObjectMapper().readerFor(KStreams.Usage.class);
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<Bytes, byte[]> sums;
        private KeyValueStore<Bytes, byte[]> due;

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            sums = context.getStateStore("agg");
            due = context.getStateStore("due");
            context.schedule(Duration.ofSeconds(1), PunctuationType.STREAM_TIME, this::flush);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            KStreams.Usage usage;
            try {
                usage = reader.readValue(record.value());
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            Bytes key = Bytes.wrap(record.key());
            byte[] held = sums.get(key);
            ByteBuffer in = held == null ? null : ByteBuffer.wrap(held);
            long bytes = usage.bytes + (in == null ? 0 : in.getLong());
            long max = Math.max(usage.bytes, in == null ? 0 : in.getLong());
            long count = 1 + (in == null ? 0 : in.getLong());
            double price = usage.price + (in == null ? 0 : in.getDouble());
            long at = in == null ? record.timestamp() + AFTER_MS : in.getLong();
            if (held == null) due.put(at(at, record.key()), new byte[0]);
            sums.put(key, ByteBuffer.allocate(STATE)
                .putLong(bytes).putLong(max).putLong(count).putDouble(price).putLong(at).array());
        }

        private void flush(long now) {
            List<Bytes> done = new ArrayList<>();
            try (KeyValueIterator<Bytes, byte[]> each = due.range(at(0, new byte[0]), at(now + 1, new byte[0]))) {
                while (each.hasNext()) {
                    KeyValue<Bytes, byte[]> entry = each.next();
                    byte[] key = java.util.Arrays.copyOfRange(entry.key.get(), 8, entry.key.get().length);
                    context.forward(new Record<>(key, sums.get(Bytes.wrap(key)), now));
                    sums.delete(Bytes.wrap(key));
                    done.add(entry.key);
                }
            }
            done.forEach(due::delete);
        }

        private static Bytes at(long instant, byte[] key) {
            return Bytes.wrap(ByteBuffer.allocate(8 + key.length).putLong(instant).put(key).array());
        }
    }

    public static void main(String[] args) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("BENCH_GROUP"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_BROKER"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("BENCH_STATE"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000L);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        Topology topology = new Topology();
        var bytes = Serdes.ByteArray();
        topology.addSource("usage", bytes.deserializer(), bytes.deserializer(), System.getenv("BENCH_TOPIC"));
        topology.addProcessor("sessions", Sessions::new, "usage");
        for (String name : List.of("agg", "due"))
            topology.addStateStore(Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(name), Serdes.Bytes(), bytes).withCachingEnabled(), "sessions");
        topology.addSink("bills", System.getenv("BENCH_OUT"), bytes.serializer(), bytes.serializer(), "sessions");
        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
