<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * The daemon's status, as people read it.
 */
final class StatusPage
{
    public function __construct(private Screen $screen)
    {
    }

    /** @param array<string, mixed> $status as the daemon tells it */
    public function show(array $status): void
    {
        $this->overview($status);
        $this->screen->say();
        $this->queues($status);
        $this->screen->say();
        $this->processes($status);
    }

    private function overview(array $status): void
    {
        $backlog = $status['backlog'];
        $ready = $status['workers'] . ' ' . ($status['workers'] === 1 ? 'worker' : 'workers');
        $this->screen->say(sprintf('proletarier %s, up %s, pid %d, %s', $status['version'], self::time($status['uptime']), $status['supervisor'], $ready));
        $waits = sprintf('%s pending, %s running or in hand, %s delayed', ...array_map(number_format(...), [$backlog['pending'], $backlog['reserved'], $backlog['parked']]));
        $this->screen->say("waiting       $waits");
        $this->screen->say('dead letters  ' . number_format($backlog['dead']));
        if (isset($status['spool'])) {
            $spool = $status['spool'];
            $this->screen->say(sprintf('spool         %s in %d %s', self::bytes($spool['bytes']), $spool['files'], $spool['files'] === 1 ? 'file' : 'files'));
        }
        if (isset($status['overload'])) {
            $this->screen->say('overload      ' . Screen::line($status['overload']));
        }
        if (isset($status['reload']['error'])) {
            $this->screen->say('last reload   failed: ' . Screen::line($status['reload']['error']));
        }
    }

    public function queues(array $status): void
    {
        $rows = [];
        foreach ($status['queues'] as $queue) {
            $waiting = isset($queue['waiting']) ? number_format($queue['waiting']) . (($queue['more'] ?? false) ? '+' : '') : '';
            $rows[] = [
                $queue['name'] . (($queue['paused'] ?? false) ? ' (paused)' : ''),
                $waiting,
                isset($queue['oldest']) ? self::time($queue['oldest']) : '',
                isset($queue['running']) ? (string) $queue['running'] : '',
                self::rate($queue['last_10']['taken']),
                self::rate($queue['last_10']['done']),
                self::rate($queue['last_10']['failed']),
                self::micros($queue['wait']),
                self::micros($queue['run']),
            ];
        }
        $headings = ['QUEUE', 'WAITING', 'OLDEST', 'IN HAND', 'IN/S', 'DONE/S', 'FAILED/S', 'WAIT p50/p99', 'RUN p50/p99'];
        (new Columns($this->screen, $headings))->show($rows);
    }

    private function processes(array $status): void
    {
        $rows = [];
        foreach (Processes::of($status) as $process) {
            $running = $process['running'] ?? null;
            $listener = isset($running['listener']) ? sprintf(', in %s for %s', $running['listener'], self::time($process['listener_seconds'] ?? 0)) : '';
            $rows[] = [
                $process['role'] . (isset($process['worker']) ? ' ' . $process['worker'] : ''),
                (string) $process['pid'],
                isset($process['generation']) ? (string) $process['generation'] : '',
                $process['memory'] === null ? '' : self::bytes($process['memory']),
                $process['state'] ?? '',
                $running === null ? '' : sprintf('%s %s for %s%s', $running['name'], $running['id'], self::time($process['seconds']), $listener),
            ];
        }
        (new Columns($this->screen, ['PROCESS', 'PID', 'GEN', 'MEMORY', 'STATE', 'RUNS']))->show($rows);
    }

    /** A span of time in one or two units. */
    public static function time(float $seconds): string
    {
        return match (true) {
            $seconds < 0.001 => sprintf('%.0f us', $seconds * 1e6),
            $seconds < 1 => sprintf('%.3g ms', $seconds * 1e3),
            $seconds < 60 => sprintf('%.3g s', $seconds),
            $seconds < 3600 => sprintf('%d min %02d s', intdiv((int) $seconds, 60), (int) $seconds % 60),
            $seconds < 86_400 => sprintf('%d h %02d min', intdiv((int) $seconds, 3600), intdiv((int) $seconds, 60) % 60),
            default => sprintf('%d d %02d h', intdiv((int) $seconds, 86_400), intdiv((int) $seconds, 3600) % 24),
        };
    }

    public static function bytes(int $bytes): string
    {
        return match (true) {
            $bytes < 1 << 10 => "$bytes B",
            $bytes < 1 << 20 => sprintf('%.1f kB', $bytes / (1 << 10)),
            $bytes < 1 << 30 => sprintf('%.1f MB', $bytes / (1 << 20)),
            default => sprintf('%.1f GB', $bytes / (1 << 30)),
        };
    }

    private static function rate(float $rate): string
    {
        return $rate > 0 && $rate < 10 ? sprintf('%.1f', $rate) : number_format($rate);
    }

    /** @param array{count: int, p50: int, p99: int} $percentiles */
    private static function micros(array $percentiles): string
    {
        return $percentiles['count'] === 0 ? '' : self::time($percentiles['p50'] / 1e6) . ' / ' . self::time($percentiles['p99'] / 1e6);
    }
}
