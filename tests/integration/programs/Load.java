// SPDX-License-Identifier: Apache-2.0
/* A threaded server: a thread for each connection, a pool at work, a garbage collector kept busy. */
import java.io.*;
import java.net.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class Load {
	static final AtomicLong served = new AtomicLong();
	static final ConcurrentHashMap<Long, byte[]> kept = new ConcurrentHashMap<>();
	static final ExecutorService pool = Executors.newFixedThreadPool(4);

	static long work(long n) throws Exception {
		return pool.submit(() -> {
			byte[] data = new byte[10000];
			Arrays.fill(data, (byte) n);
			kept.put(n % 500, data);
			long sum = 0;
			for (byte b : data)
				sum += b;
			return sum;
		}).get();
	}

	static void serve(Socket s) {
		try (s) {
			BufferedReader in = new BufferedReader(new InputStreamReader(s.getInputStream()));
			PrintWriter out = new PrintWriter(s.getOutputStream(), true);
			String line;
			while ((line = in.readLine()) != null) {
				long n = Long.parseLong(line);
				out.println(n + " " + work(n) + " " + served.incrementAndGet());
			}
		} catch (Exception e) {
			e.printStackTrace();
		}
	}

	public static void main(String[] args) throws Exception {
		new Timer(true).schedule(new TimerTask() {
			public void run() {
				System.gc();
			}
		}, 500, 500);
		ServerSocket server = new ServerSocket(9000);
		System.out.println("listens");
		for (;;) {
			Socket s = server.accept();
			new Thread(() -> serve(s)).start();
		}
	}
}
