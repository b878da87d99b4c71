<?php

declare(strict_types=1);

namespace Proletarier\Tests\Soak;

/**
 * The daemon, and all that is done to it. One that ended for whatever reason is started again, as a service manager would.
 *
 * Each is the leader of a process group, and is reaped only when its group is gone: no other process gets these numbers before.
 */
final class Target
{
    private const READY = 30.0;

    /** @var array<int, resource> processes of proc_open by pid, of daemons whose group is not known to be gone */
    private array $groups = [];
    private int $current = 0;
    private ?float $startAt = null;
    /** @var list<array{float, int}> when a process that is held up goes on */
    private array $paused = [];
    private bool $stopping = false;

    /** @var array<string, int> how often what was done */
    public array $deeds = [];
    public int $starts = 0;

    public function __construct(private Site $site)
    {
    }

    public function start(): void
    {
        $process = $this->site->start('application.php', 'log');
        $this->current = proc_get_status($process)['pid'];
        $this->groups[$this->current] = $process;
        $this->startAt = null;
        $this->stopping = false;
        $this->starts++;
        $this->site->note('deeds', sprintf('%.6F', microtime(true)), 'start', $this->current);
    }

    public function awaitReady(): void
    {
        $until = microtime(true) + self::READY;
        while (!$this->answers()) {
            if (microtime(true) > $until) {
                throw new \RuntimeException('the daemon is not ready after ' . self::READY . ' s');
            }
            $this->tick(true);
            usleep(20_000);
        }
    }

    /** @return array<string, mixed>|null the daemon's status, where it tells it */
    public function status(): ?array
    {
        try {
            return \proletarier_control(['command' => 'status'], ['timeout' => 1] + $this->site->paths());
        } catch (\Proletarier\Exception\BrokerUnavailable) {
            return null;
        }
    }

    private function answers(): bool
    {
        return ($this->status()['workers'] ?? 0) > 0;
    }

    /** Does what is due: goes on with what is held up, and starts a daemon where there is none. */
    public function tick(bool $at_once = false): void
    {
        $now = microtime(true);
        foreach ($this->paused as $number => [$until, $pid]) {
            if ($now >= $until) {
                if (str_starts_with((string) @file_get_contents("/proc/$pid/cmdline"), 'proletarier: broker')) {
                    posix_kill($pid, SIGCONT);
                }
                unset($this->paused[$number]);
            }
        }
        if ($this->current !== 0 && $this->hasEnded($this->current)) {
            $this->startAt ??= $now;
            $this->site->note('deeds', sprintf('%.6F', $now), 'ended', $this->current);
            $this->current = 0;
        }
        if ($this->current === 0 && ($at_once || $now >= $this->startAt)) {
            $this->start();
        }
        foreach ($this->groups as $leader => $process) {
            if ($leader !== $this->current && $this->members($leader) === []) {
                proc_close($process);
                unset($this->groups[$leader]);
            }
        }
    }

    /**
     * @param float $draw what decides which one, and how long the daemon is down
     *
     * @return list<int> pids of what it was done to; of workers alone, where it was the whole daemon. None: it is not there
     */
    public function do(Deed $deed, float $draw): array
    {
        $members = $this->current === 0 ? [] : $this->members($this->current);
        $of = static fn (string $title): array => array_keys(array_filter($members, static fn (string $known): bool => str_starts_with($known, $title)));
        $victims = match ($deed) {
            Deed::KillWorker => $of('proletarier: worker'),
            Deed::KillBroker, Deed::PauseBroker => $of('proletarier: broker'),
            Deed::KillZygote => $of('proletarier: zygote'),
            default => $this->stopping ? [] : $of('proletarier: supervisor'),
        };
        if ($victims === []) {
            return [];
        }
        $victim = $victims[(int) ($draw * count($victims))];
        // Down for no time, or for up to three seconds: the clients' spool fills.
        $down = $draw < 0.4 ? 0.0 : 3 * $draw;
        match ($deed) {
            Deed::Stop => posix_kill($victim, SIGTERM),
            Deed::Reload => posix_kill($victim, SIGHUP),
            Deed::PauseBroker => posix_kill($victim, SIGSTOP),
            Deed::KillAll => $members = $this->killAll($draw > 0.7),
            default => posix_kill($victim, SIGKILL),
        };
        $now = microtime(true);
        if ($deed === Deed::PauseBroker) {
            $this->paused[] = [$now + 1, $victim];
        }
        if (in_array($deed, [Deed::KillAll, Deed::KillSupervisor, Deed::Stop], true)) {
            $this->startAt = $now + $down;
            $this->stopping = true;
        }

        return $deed === Deed::KillAll ? array_keys(array_filter($members, static fn (string $title): bool => str_contains($title, 'worker'))) : [$victim];
    }

    /** Writes down what was done. */
    public function note(Deed $deed, int ...$pids): void
    {
        $this->deeds[$deed->value] = ($this->deeds[$deed->value] ?? 0) + 1;
        $this->site->note('deeds', sprintf('%.6F', microtime(true)), strtr($deed->value, ' ', '-'), ...$pids);
    }

    /**
     * Kills the group, so that what dies last sees the others die; or, with `$frozen`, all in the same moment.
     *
     * @return array<int, string> what it had
     */
    private function killAll(bool $frozen): array
    {
        if ($frozen) {
            posix_kill(-$this->current, SIGSTOP);
        }
        $members = $this->members($this->current);
        posix_kill(-$this->current, SIGKILL);

        return $members;
    }

    /** Stops the daemon, as one does. */
    public function stop(): int
    {
        posix_kill($this->current, SIGTERM);
        $until = microtime(true) + self::READY;
        while (!$this->hasEnded($this->current) || $this->members($this->current) !== []) {
            if (microtime(true) > $until) {
                throw new \RuntimeException('the daemon does not stop');
            }
            usleep(10_000);
        }
        $status = proc_get_status($this->groups[$this->current]);
        unset($this->groups[$this->current]);
        $this->current = 0;

        return $status['signaled'] ? -$status['termsig'] : $status['exitcode'];
    }

    /** Ends what is left, by force. */
    public function destroy(): void
    {
        foreach ($this->groups as $leader => $process) {
            posix_kill(-$leader, SIGKILL);
            posix_kill($leader, SIGKILL);
            proc_close($process);
        }
        $this->groups = [];
    }

    /** Whether the process, which is not reaped, has ended. */
    private function hasEnded(int $pid): bool
    {
        return $this->stat($pid)[0] === 'Z';
    }

    /** @return array<int, string> titles by pid of a group's living processes */
    private function members(int $group): array
    {
        $members = [];
        foreach (scandir('/proc') ?: [] as $entry) {
            if (!ctype_digit($entry)) {
                continue;
            }
            [$state, , $its] = $this->stat((int) $entry);
            if ((int) $its === $group && $state !== 'Z') {
                $members[(int) $entry] = rtrim(strtr((string) @file_get_contents("/proc/$entry/cmdline"), "\0", ' '));
            }
        }

        return $members;
    }

    /** @return list<string> state, parent and group; state 'Z' also where it is gone */
    private function stat(int $pid): array
    {
        $stat = (string) @file_get_contents("/proc/$pid/stat");
        $place = strrpos($stat, ')');

        return $place === false ? ['Z', '0', '0'] : explode(' ', substr($stat, $place + 2), 4);
    }
}
