<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * A php-fpm with one page, in a daemon's directory.
 */
final class Fpm
{
    /** @var resource|null */
    private $process;

    public readonly string $socket;
    public readonly string $page;

    /**
     * @param string $code what the page does
     * @param int $children how many there are
     */
    public function __construct(private string $directory, string $code, int $children = 4)
    {
        $binary = sprintf('/usr/sbin/php-fpm%d.%d', PHP_MAJOR_VERSION, PHP_MINOR_VERSION);
        if (!is_executable($binary)) {
            throw new \RuntimeException("php-fpm of this PHP is needed: $binary");
        }
        [$this->socket, $this->page] = ["$directory/fpm.sock", "$directory/page.php"];
        $user = posix_getpwuid(posix_geteuid())['name'];
        file_put_contents("$directory/fpm.conf", <<<INI
            [global]
            error_log = $directory/fpm.log
            pid = $directory/fpm.pid
            process_control_timeout = 10s
            daemonize = no
            [www]
            user = $user
            listen = $directory/fpm.sock
            listen.backlog = 511
            pm = static
            pm.max_children = $children
            pm.max_requests = 500
            catch_workers_output = yes
            INI);
        file_put_contents($this->page, "<?php\n$code");
        $this->process = proc_open(
            [$binary, '-n', '-R', '-y', "$directory/fpm.conf", '-d', 'extension=' . LoadedExtension::file(), '-F'],
            [['file', '/dev/null', 'r'], ['file', "$directory/fpm.out", 'a'], ['file', "$directory/fpm.out", 'a']],
            $pipes,
        );
        Daemon::await(fn (): bool => file_exists($this->socket), fn (): string => 'php-fpm: ' . $this->said());
    }

    public function signal(int $signal): void
    {
        posix_kill((int) file_get_contents("$this->directory/fpm.pid"), $signal);
    }

    public function awaitEnd(float $deadline = 20.0): void
    {
        Daemon::await(fn (): bool => !proc_get_status($this->process)['running'], fn (): string => 'the end of php-fpm: ' . $this->said(), $deadline);
    }

    public function stop(): void
    {
        if ($this->process !== null) {
            // Not by force: php-fpm's children would outlive it.
            proc_terminate($this->process, SIGTERM);
            $this->awaitEnd();
            proc_close($this->process);
            $this->process = null;
        }
    }

    public function said(): string
    {
        return (string) @file_get_contents("$this->directory/fpm.out") . (string) @file_get_contents("$this->directory/fpm.log");
    }
}
