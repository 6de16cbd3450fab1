import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Arrays;

/**
 * 对接枢纽的示例程序：签名推送、查询回执。只用 JDK 11 以上自带的库。
 *
 * <p>用法：java Exchange.java send KIND FILE | java Exchange.java receipt ID。先设置环境变量 SHUNIU_URL、SHUNIU_SYSTEM、
 * SHUNIU_SECRET（见 hub.env 和 keys.md）。退出码：0 成功，1 被拒绝，2 用法不对。
 */
public final class Exchange {
    private static final int BLOCK_BYTES = 64;
    private static final int[] START = {
        0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600,
        0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e
    };

    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private final String url;
    private final String system;
    private final byte[] secret;

    Exchange(String url, String system, String secret) {
        this.url = url.replaceAll("/+$", "");
        this.system = system;
        this.secret = secret.getBytes(StandardCharsets.UTF_8);
    }

    /** 推送一条数据，并等待处理结果。 */
    HttpResponse<String> send(String kind, byte[] content) throws IOException, InterruptedException {
        String path = "/in/" + system + "/" + kind;
        String stamp = Long.toString(System.currentTimeMillis());
        byte[] random = new byte[16];
        new SecureRandom().nextBytes(random);
        String nonce = hex(random);
        String digest = hex(sm3(content));
        String text = String.join("\n", "POST", path, "", system, stamp, nonce, digest);
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(url + path))
                        .timeout(Duration.ofSeconds(60))
                        .header("Content-Type", "application/json")
                        .header("X-App-Id", system)
                        .header("X-Timestamp", stamp)
                        .header("X-Nonce", nonce)
                        .header("X-Content-SM3", digest)
                        .header("X-Sign-Type", "HMAC-SM3")
                        .header("X-Key-Id", "1")
                        .header("X-Signature", hex(hmac(text.getBytes(StandardCharsets.UTF_8))))
                        .header("Prefer", "wait=20")
                        .POST(HttpRequest.BodyPublishers.ofByteArray(content))
                        .build();
        return http.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    /** 查询回执。 */
    HttpResponse<String> receipt(String id) throws IOException, InterruptedException {
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(url + "/api/receipts/" + id))
                        .timeout(Duration.ofSeconds(60))
                        .build();
        return http.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    /** HMAC（RFC 2104），杂凑算法为 SM3。 */
    private byte[] hmac(byte[] content) {
        byte[] key = Arrays.copyOf(secret.length > BLOCK_BYTES ? sm3(secret) : secret, BLOCK_BYTES);
        byte[] inner = new byte[BLOCK_BYTES];
        byte[] outer = new byte[BLOCK_BYTES];
        for (int i = 0; i < BLOCK_BYTES; i++) {
            inner[i] = (byte) (key[i] ^ 0x36);
            outer[i] = (byte) (key[i] ^ 0x5c);
        }
        return sm3(joined(outer, sm3(joined(inner, content))));
    }

    private static byte[] joined(byte[] one, byte[] other) {
        byte[] both = Arrays.copyOf(one, one.length + other.length);
        System.arraycopy(other, 0, both, one.length, other.length);
        return both;
    }

    /** SM3 摘要（GB/T 32905）。 */
    static byte[] sm3(byte[] content) {
        byte[] padded = Arrays.copyOf(content, (content.length + 8) / 64 * 64 + 64);
        padded[content.length] = (byte) 0x80;
        long bits = (long) content.length * 8;
        for (int i = 0; i < 8; i++) {
            padded[padded.length - 1 - i] = (byte) (bits >>> (8 * i));
        }
        int[] state = START.clone();
        for (int at = 0; at < padded.length; at += 64) {
            compress(state, padded, at);
        }
        byte[] digest = new byte[32];
        for (int i = 0; i < 32; i++) {
            digest[i] = (byte) (state[i / 4] >>> (24 - 8 * (i % 4)));
        }
        return digest;
    }

    private static void compress(int[] state, byte[] block, int at) {
        int[] w = new int[68];
        for (int i = 0; i < 64; i++) {
            w[i / 4] = w[i / 4] << 8 | block[at + i] & 0xff;
        }
        for (int i = 16; i < 68; i++) {
            int x = w[i - 16] ^ w[i - 9] ^ Integer.rotateLeft(w[i - 3], 15);
            x ^= Integer.rotateLeft(x, 15) ^ Integer.rotateLeft(x, 23);
            w[i] = x ^ Integer.rotateLeft(w[i - 13], 7) ^ w[i - 6];
        }
        int[] v = state.clone();
        for (int i = 0; i < 64; i++) {
            boolean early = i < 16;
            int turned = Integer.rotateLeft(early ? 0x79cc4519 : 0x7a879d8a, i);
            int first = Integer.rotateLeft(Integer.rotateLeft(v[0], 12) + v[4] + turned, 7);
            int second = first ^ Integer.rotateLeft(v[0], 12);
            int chosen = early ? v[0] ^ v[1] ^ v[2] : v[0] & v[1] | v[0] & v[2] | v[1] & v[2];
            int other = early ? v[4] ^ v[5] ^ v[6] : v[4] & v[5] | ~v[4] & v[6];
            int left = chosen + v[3] + second + (w[i] ^ w[i + 4]);
            int right = other + v[7] + first + w[i];
            v[3] = v[2];
            v[2] = Integer.rotateLeft(v[1], 9);
            v[1] = v[0];
            v[0] = left;
            v[7] = v[6];
            v[6] = Integer.rotateLeft(v[5], 19);
            v[5] = v[4];
            v[4] = right ^ Integer.rotateLeft(right, 9) ^ Integer.rotateLeft(right, 17);
        }
        for (int i = 0; i < 8; i++) {
            state[i] ^= v[i];
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte each : bytes) {
            text.append(String.format("%02x", each));
        }
        return text.toString();
    }

    public static void main(String[] words) throws IOException, InterruptedException {
        String url = System.getenv("SHUNIU_URL");
        String system = System.getenv("SHUNIU_SYSTEM");
        String secret = System.getenv("SHUNIU_SECRET");
        if (url == null || system == null || secret == null || words.length < 2) {
            System.err.println("用法：java Exchange.java send KIND FILE | receipt ID；先设置 SHUNIU_URL 等环境变量");
            System.exit(2);
        }
        Exchange hub = new Exchange(url, system, secret);
        HttpResponse<String> answer =
                words[0].equals("send") && words.length == 3
                        ? hub.send(words[1], Files.readAllBytes(Path.of(words[2])))
                        : hub.receipt(words[1]);
        System.out.println(answer.body());
        System.out.println(answer.statusCode());
        System.exit(answer.statusCode() == 200 || answer.statusCode() == 202 ? 0 : 1);
    }
}
