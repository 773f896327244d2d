import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;

/**
 * Runs a connector of Debezium's and writes to a file what Kafka Connect would write: one JSON object a record, with topic, key, value
 * (the text of the message, or null) and headers. Key and value are made by Kafka's JsonConverter without schemas,
 * headers by its SimpleHeaderConverter, which is the worker's default. Runs until it is killed.
 *
 * java -cp 'LIBS/*' Capture.java PROPERTIES FILE
 */
public class Capture {
    private static final JsonConverter KEY = new JsonConverter(), VALUE = new JsonConverter();
    private static final SimpleHeaderConverter HEADER = new SimpleHeaderConverter();

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(args[1]), true, StandardCharsets.UTF_8);
        Properties settings = new Properties();
        try (FileInputStream in = new FileInputStream(args[0])) {
            settings.load(in);
        }
        KEY.configure(Map.of("schemas.enable", "false"), true);
        VALUE.configure(Map.of("schemas.enable", "false"), false);
        HEADER.configure(Map.of());
        try (DebeziumEngine<RecordChangeEvent<SourceRecord>> engine = DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
                .using(settings)
                .using((success, message, error) -> {
                    System.err.println("ended: " + message);
                    if (error != null) {
                        error.printStackTrace();
                    }
                    System.exit(1);
                })
                .notifying(event -> out.println(line(event.record())))
                .build()) {
            engine.run();
        }
    }

    private static String line(SourceRecord r) {
        StringBuilder b = new StringBuilder("{\"topic\":").append(quote(r.topic()));
        b.append(",\"key\":").append(text(KEY.fromConnectData(r.topic(), r.keySchema(), r.key())));
        b.append(",\"value\":").append(text(VALUE.fromConnectData(r.topic(), r.valueSchema(), r.value())));
        b.append(",\"headers\":{");
        String comma = "";
        for (Header h : r.headers()) {
            b.append(comma).append(quote(h.key())).append(':').append(text(HEADER.fromConnectHeader(r.topic(), h.key(), h.schema(), h.value())));
            comma = ",";
        }
        return b.append("}}").toString();
    }

    private static String text(byte[] b) {
        return b == null ? "null" : quote(new String(b, StandardCharsets.UTF_8));
    }

    private static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') {
                b.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.append('"').toString();
    }
}
