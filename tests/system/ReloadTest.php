<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;

/**
 * Deploys: releases beside one another, a `current` symlink that is switched from one to the next, and `proletarier reload`.
 */
final class ReloadTest extends TestCase
{
    private const SCRIPT = <<<'PHP'
        <?php

        [, $directory, $options] = $argv;
        require __DIR__ . '/listener.php';
        exit(\proletarier_run(['one' => ['event' => 'one', 'listener' => listener($directory)]], json_decode($options, true)));
        PHP;
    private const LISTENER = <<<'PHP'
        <?php

        function listener(string $directory): callable
        {
            return static function ($event) use ($directory): void {
                usleep((int) (($event->getParams()['sleep'] ?? 0) * 1e6));
                $line = ['release' => basename(__DIR__), 'from' => __DIR__, 'n' => $event->getParams()['n'], 'pid' => getmypid()];
                file_put_contents("$directory/handled", json_encode($line) . "\n", FILE_APPEND);
            };
        }
        PHP;

    private string $site;
    private Daemon $daemon;

    protected function setUp(): void
    {
        $this->site = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4));
        mkdir("$this->site/releases", 0700, true);
        $this->release('1');
        $this->daemon = new Daemon(['worker' => ['pool_size' => 2], 'store' => '%dir%/store'], "$this->site/current/daemon.php");
        $configuration = ['runtime_dir' => $this->daemon->directory . '/run', 'store' => $this->daemon->directory . '/store'];
        file_put_contents("$this->site/config.php", sprintf('<?php return ["proletarier" => %s];', var_export($configuration, true)));
        $this->daemon->start();
    }

    protected function tearDown(): void
    {
        $this->daemon->stop();
        exec('rm -rf ' . escapeshellarg($this->site));
    }

    /** Makes a release, and `current` lead to it from one moment to the next. */
    private function release(string $name, string $listener = self::LISTENER): void
    {
        mkdir("$this->site/releases/$name");
        file_put_contents("$this->site/releases/$name/daemon.php", self::SCRIPT);
        file_put_contents("$this->site/releases/$name/listener.php", $listener);
        symlink("releases/$name", "$this->site/next");
        rename("$this->site/next", "$this->site/current");
    }

    /** @return array{int, string, string} status, stdout, stderr */
    private function reload(): array
    {
        $console = dirname(__DIR__, 2) . '/bin/proletarier';
        $command = [PHP_BINARY, ...$this->daemon->arguments(), $console, 'reload', '--wait=20', '-c', "$this->site/config.php"];
        $process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
        [$out, $err] = [stream_get_contents($pipes[1]), stream_get_contents($pipes[2])];

        return [proc_close($process), $out, $err];
    }

    public function testTheCodeThatCurrentLeadsToTakesOver(): void
    {
        $client = $this->daemon->client();
        $broker = $this->daemon->process('proletarier: broker');
        $client->trigger('one', ['n' => 1]);
        self::assertSame('1', $this->daemon->awaitHandled(1)[0]['release']);
        $client->trigger('one', ['n' => 2, 'sleep' => 1.5]);
        $old = $this->daemon->workerOf('one');

        $this->release('2');
        self::assertSame([0, "The new code runs: generation 2.\n", ''], $this->reload(), $this->daemon->log());
        $client->trigger('one', ['n' => 3]);
        $handled = array_column($this->daemon->awaitHandled(3), null, 'n');
        self::assertSame(['1', '2'], [$handled[2]['release'], $handled[3]['release']], 'what has begun is finished by the old code');
        self::assertSame($old, $handled[2]['pid']);
        self::assertSame("$this->site/releases/2", $handled[3]['from']);
        self::assertSame($broker, $this->daemon->process('proletarier: broker'));
        $gone = static fn (): bool => !posix_kill($old, 0);
        Daemon::await($gone, fn (): string => 'the old worker to leave: ' . $this->daemon->log());
    }

    public function testCodeThatDoesNotParseChangesNothing(): void
    {
        $zygote = $this->daemon->process('proletarier: zygote');
        $this->release('2', '<?php function listener(string $directory): callable { return =; }');
        [$status, $out, $errors] = $this->reload();
        self::assertSame([1, ''], [$status, $out], $this->daemon->log());
        self::assertMatchesRegularExpression("~the old one goes on: .*syntax error, unexpected .*releases/2/listener\.php~s", $errors);
        $client = $this->daemon->client();
        $client->trigger('one', ['n' => 1]);
        self::assertSame('1', $this->daemon->awaitHandled(1)[0]['release']);
        self::assertSame($zygote, $this->daemon->process('proletarier: zygote'));

        $this->release('3');
        self::assertSame([0, "The new code runs: generation 2.\n", ''], $this->reload(), $this->daemon->log());
        $client->trigger('one', ['n' => 2]);
        self::assertSame('3', $this->daemon->awaitHandled(2)[1]['release']);
    }
}
