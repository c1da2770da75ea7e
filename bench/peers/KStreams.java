// Kafka Streams: groupByKey().aggregate() into a persistent store with a changelog, at least once.
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Properties;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

public class KStreams {
    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Usage {
        public long bytes;
        public double price;
    }

    static final class Sums {
        long bytes, max, count;
        double price;

        Sums plus(Usage usage) {
            bytes += usage.bytes;
            max = Math.max(max, usage.bytes);
            count++;
            price += usage.price;
            return this;
        }

        byte[] toBytes() {
            return ByteBuffer.allocate(32).putLong(bytes).putLong(max).putLong(count).putDouble(price).array();
        }

        static Sums of(byte[] data) {
            ByteBuffer in = ByteBuffer.wrap(data);
            Sums sums = new Sums();
            sums.bytes = in.getLong();
            sums.max = in.getLong();
            sums.count = in.getLong();
            sums.price = in.getDouble();
            return sums;
        }
    }

    public static void main(String[] args) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("BENCH_GROUP"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_BROKER"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("BENCH_STATE"));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000L);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        ObjectReader reader = new ObjectMapper().readerFor(Usage.class);
        Deserializer<Usage> parse = (topic, data) -> {
            try {
                return reader.readValue(data);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        };
        Serializer<Usage> never = (topic, usage) -> null;
        Serializer<Sums> write = (topic, sums) -> sums == null ? null : sums.toBytes();
        Deserializer<Sums> read = (topic, data) -> data == null ? null : Sums.of(data);
        Serde<Usage> usage = Serdes.serdeFrom(never, parse);
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(System.getenv("BENCH_TOPIC"), Consumed.with(Serdes.ByteArray(), usage))
            .groupByKey(Grouped.with(Serdes.ByteArray(), usage))
            .aggregate(Sums::new, (key, each, sums) -> sums.plus(each),
                Materialized.<byte[], Sums, KeyValueStore<Bytes, byte[]>>as("agg")
                    .withKeySerde(Serdes.ByteArray()).withValueSerde(Serdes.serdeFrom(write, read)));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
