<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Command\TriggerCommand;
use Proletarier\Testing\RecordingClient;
use Proletarier\Tests\Fixture\Services;
use Proletarier\Tests\PhpProcess;
use Symfony\Component\Console\Tester\CommandTester;

/**
 * The commands, and bin/proletarier around them.
 */
final class CommandsTest extends TestCase
{
    private const BIN = __DIR__ . '/../../bin/proletarier';

    /** @var list<string> */
    private array $made = [];

    protected function tearDown(): void
    {
        foreach (array_reverse($this->made) as $path) {
            is_dir($path) ? rmdir($path) : unlink($path);
        }
    }

    public function testTrigger(): void
    {
        $client = new RecordingClient();
        $tester = new CommandTester(new TriggerCommand(new Services(['Proletarier\ClientInterface' => $client])));
        $status = $tester->execute([
            'event' => 'account.created',
            'params' => '{"id": 7}',
            '--delay' => '1.5',
            '--key' => 'k',
            '--queue' => 'q',
        ]);

        [$event] = $client->events('account.created');
        self::assertSame(0, $status);
        self::assertSame($event->id . "\n", $tester->getDisplay());
        self::assertSame(['id' => 7], $event->params);
        self::assertSame(['confirm' => 'accepted', 'delay' => 1.5, 'queue' => 'q', 'key' => 'k'], $event->options);
    }

    /**
     * @dataProvider wrongTriggers
     */
    public function testWrongTriggers(array $arguments, string $message): void
    {
        $process = $this->bin(['trigger', ...$arguments], ['client' => ['mock' => true]]);

        self::assertSame(1, $process->status);
        self::assertStringStartsWith('proletarier: ' . $message, $process->errors);
    }

    public static function wrongTriggers(): iterable
    {
        yield 'no JSON' => [['a', '{id: 7}'], "params: '{id: 7}' is no JSON object: give one such as"];
        yield 'no object' => [['a', '7'], "params: '7' is no JSON object"];
        yield 'a wrong name' => [['*'], "an event can't be named '*'"];
        yield 'a wrong option' => [['a', '--confirm=maybe'], "options['confirm']: \"maybe\" is not allowed"];
        yield 'a wrong delay' => [['a', '--delay=soon'], "options['delay']: \"soon\" is not allowed: give seconds"];
    }

    public function testBinTakesAnArrayWithOrWithoutItsKey(): void
    {
        foreach ([['client' => ['mock' => true]], ['proletarier' => ['client' => ['mock' => true]]]] as $config) {
            $process = $this->bin(['trigger', 'a'], $config);

            self::assertSame([0, ''], [$process->status, $process->errors]);
            self::assertMatchesRegularExpression('/^[0-9a-f-]{36}\n$/', $process->output);
        }
    }

    public function testBinFindsTheContainerAbove(): void
    {
        $root = $this->directory(sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4)));
        $this->directory("$root/config");
        $below = $this->directory("$root/below");
        $this->file("$root/config/container.php", <<<'PHP'
            <?php
            echo 'in ', basename(getcwd()), "\n";
            return new Proletarier\Container(['proletarier' => ['client' => ['mock' => true]]]);
            PHP);
        $process = PhpProcess::run([self::BIN, 'trigger', 'a'], $below);

        self::assertSame([0, ''], [$process->status, $process->errors]);
        self::assertStringStartsWith('in ' . basename($root), $process->output);
    }

    public function testBinSaysWhatItMisses(): void
    {
        $process = PhpProcess::run([self::BIN, 'run'], '/');
        self::assertStringStartsWith('proletarier: there is no config/container.php in / or above it', $process->errors);

        $process = PhpProcess::run([self::BIN, 'run', '--config=/nothing.php']);
        self::assertSame("proletarier: --config: there is no file /nothing.php\n", $process->errors);

        $file = $this->file(sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4)) . '.php', '<?php return 5;');
        $process = PhpProcess::run([self::BIN, 'run', '-c', $file]);
        self::assertStringContainsString('returned int: return an array', $process->errors);
        self::assertSame(1, $process->status);
    }

    public function testHelpNeedsNoApplication(): void
    {
        $process = PhpProcess::run([self::BIN, 'list'], '/');

        self::assertSame(0, $process->status);
        foreach (['run', 'broker', 'worker', 'trigger', '--config'] as $word) {
            self::assertStringContainsString($word, $process->output);
        }
    }

    public function testErrorsInTheApplicationAreSaidOnce(): void
    {
        $process = $this->bin(['run'], ['listeners' => [['a', 'App\Nothing']]]);

        self::assertSame(1, $process->status);
        self::assertStringStartsWith("proletarier: listeners[0]: 'App\\Nothing' is neither", $process->errors);
    }

    public function testSaysThatSymfonyIsMissing(): void
    {
        // With an include path in which there are no packages.
        $process = PhpProcess::run(['-d', 'include_path=/nowhere', self::BIN, 'run']);
        if (class_exists(\Composer\Autoload\ClassLoader::class)) {
            self::markTestSkipped('Composer has it');
        }

        self::assertSame(1, $process->status);
        self::assertSame(
            'proletarier: The commands need symfony/console, 5.4 to 7: composer require symfony/console '
            . "(Debian: apt install php-symfony-console)\n",
            $process->errors
        );
    }

    private function bin(array $arguments, array $config): PhpProcess
    {
        $file = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4)) . '.php';
        $this->file($file, '<?php return ' . var_export($config, true) . ';');

        return PhpProcess::run([self::BIN, ...$arguments, "--config=$file"]);
    }

    private function file(string $path, string $content): string
    {
        file_put_contents($path, $content);

        return $this->made[] = $path;
    }

    private function directory(string $path): string
    {
        mkdir($path);

        return $this->made[] = $path;
    }
}
